//! Templates are embedded in the program: a file that is new among them counts as a change.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for folder in [
        "../../sdk/c",
        "../../sdk/cases/template",
        "../../sdk/javascript/template",
        "../../sdk/python/template",
        "../../sdk/rust/template",
        "../../wit",
    ] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
