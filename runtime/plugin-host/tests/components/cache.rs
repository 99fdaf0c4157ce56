//! The cache of compiled plugins: used when sound, never trusted otherwise.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
};

use towpath_plugin_host::Code;

use crate::guests::Lab;

fn code(lab: &Lab) -> Code {
    let (host, errors) = lab.open();
    assert!(errors.is_empty(), "{errors:?}");
    host.plugins().next().unwrap().code()
}

fn files(lab: &Lab) -> Vec<PathBuf> {
    fs::read_dir(lab.cache())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn the_second_start_does_not_compile() {
    let lab = Lab::with(&["mask_field"]);
    assert_eq!(code(&lab), Code::Compiled);
    assert_eq!(code(&lab), Code::Cached);
    let files = files(&lab);
    assert_eq!(files.len(), 1, "nothing unfinished stays behind: {files:?}");
    assert_eq!(fs::metadata(lab.cache()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&files[0]).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_compiled_again_and_replaced() {
    let lab = Lab::with(&["mask_field"]);
    code(&lab);
    let file = files(&lab).remove(0);
    let sound = fs::read(&file).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    for damaged in [&flipped[..], &sound[..sound.len() / 2], &sound[..20], b""] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(code(&lab), Code::Compiled);
        assert_eq!(code(&lab), Code::Cached);
    }
}

#[test]
fn a_file_that_others_may_write_is_not_trusted() {
    let lab = Lab::with(&["mask_field"]);
    code(&lab);
    let file = files(&lab).remove(0);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(code(&lab), Code::Compiled);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "and replaced");
}

#[test]
fn a_folder_open_to_others_is_closed() {
    let lab = Lab::with(&["mask_field"]);
    fs::create_dir(lab.cache()).unwrap();
    fs::set_permissions(lab.cache(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(code(&lab), Code::Compiled);
    assert_eq!(fs::metadata(lab.cache()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn without_a_usable_folder_plugins_are_compiled_all_the_same() {
    let lab = Lab::with(&["mask_field"]);
    fs::write(lab.cache(), b"a file where the folder should be").unwrap();
    assert_eq!(code(&lab), Code::Compiled);
}
