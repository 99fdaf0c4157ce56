//! A mend for components of QuickJS: they give a lent batch back too late.
//!
//! The synchronous runtime of componentize-qjs drops the handles it was lent in the function that runs after the return (`post-return`). The component
//! model wants them back before: every call would trap with "borrow handles still remain at the end of the call". The module that stands between
//! the runtime and the world is small, and all that is needed is there: the function that is exported is wrapped by one that drops the handles when
//! it is done, and the runtime's own drop of the same handle, which follows, is swallowed.

use std::{borrow::Cow, collections::BTreeMap};

use wasm_encoder::{
    CodeSection, ConstExpr, Encode, ExportSection, Function, GlobalSection, GlobalType, Module, RawSection,
    SectionId, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::{
    BinaryReader, ElementSectionReader, ExportSectionReader, ExternalKind, FuncType, FunctionSectionReader,
    ImportSectionReader, TypeRef, TypeSectionReader,
};

use crate::Error;

const HEADER: usize = 8;
const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;

/// Functions of the contract that are lent batches, and which of their parameters those are.
const LENT: [(&str, &[u32]); 3] = [("#transform", &[0]), ("#matching", &[0]), ("#validate", &[0, 1])];

/// A handle is never this.
const NONE: i32 = -1;

/// The component as it was where it is lent nothing; else with the handles given back in time.
pub fn return_borrows(component: &[u8]) -> Result<Vec<u8>, Error> {
    nested(component).map_err(|error| {
        Error::Encode(format!(
            "it is not as componentize-qjs 0.4.5 makes them ({error:#}): take that version, as in the template's package.json"
        ))
    })
}

/// A component's sections, those of modules and components looked into.
fn nested(component: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut mended = component[..HEADER.min(component.len())].to_vec();
    for (id, contents) in sections(component)? {
        let contents = match id {
            COMPONENT => Cow::Owned(nested(contents)?),
            CORE_MODULE => module(contents)?,
            _ => Cow::Borrowed(contents),
        };
        mended.push(id);
        contents.len().encode(&mut mended);
        mended.extend_from_slice(&contents);
    }
    Ok(mended)
}

/// Modules and components are built alike: a header, and sections of an id, a length and contents.
fn sections(binary: &[u8]) -> anyhow::Result<Vec<(u8, &[u8])>> {
    anyhow::ensure!(binary.len() >= HEADER, "it is cut off");
    let mut reader = BinaryReader::new(&binary[HEADER..], 0);
    let mut sections = Vec::new();
    while !reader.eof() {
        let id = reader.read_u8()?;
        let len = usize::try_from(reader.read_var_u32()?)?;
        sections.push((id, reader.read_bytes(len)?));
    }
    Ok(sections)
}

/// What is to be changed in the module.
struct Mend {
    /// the imported function that drops a batch
    drop: u32,
    /// its stand-in
    swallow: u32,
    /// exported functions and what wraps them
    wrapped: BTreeMap<u32, Wrapper>,
    /// the globals that hold handles that are given back, one a parameter
    globals: Vec<u32>,
}

struct Wrapper {
    index: u32,
    ty: FuncType,
    type_index: u32,
    lent: &'static [u32],
}

fn module(binary: &[u8]) -> anyhow::Result<Cow<'_, [u8]>> {
    let sections = sections(binary)?;
    let Some(mend) = Mend::of(&sections)? else {
        return Ok(Cow::Borrowed(binary));
    };
    let types = count(contents(&sections, SectionId::Type))?;
    let mut module = Module::new();
    let mut globals_are_there = false;
    for (id, contents) in &sections {
        let after_globals = *id >= SectionId::Export as u8 && *id != SectionId::Tag as u8;
        if !globals_are_there && (after_globals || *id == SectionId::Global as u8) {
            globals_are_there = true;
            if *id == SectionId::Global as u8 {
                append(&mut module, *id, contents, mend.globals())?;
                continue;
            }
            append(&mut module, SectionId::Global as u8, &[0], mend.globals())?;
        }
        match *id {
            id if id == SectionId::Type as u8 => append(&mut module, id, contents, vec![Mend::drop_type()])?,
            id if id == SectionId::Function as u8 => {
                append(&mut module, id, contents, mend.functions(types))?
            }
            id if id == SectionId::Code as u8 => append(&mut module, id, contents, mend.bodies())?,
            id if id == SectionId::Export as u8 => mend.exports(&mut module, contents)?,
            id if id == SectionId::Element as u8 => mend.elements(&mut module, contents)?,
            id => {
                module.section(&RawSection { id, data: contents });
            }
        }
    }
    Ok(Cow::Owned(module.finish()))
}

// === impl Mend ===

impl Mend {
    /// None: this module is lent nothing.
    fn of(sections: &[(u8, &[u8])]) -> anyhow::Result<Option<Self>> {
        let mut imported: u32 = 0;
        let mut imported_globals: u32 = 0;
        let mut drop = None;
        for import in ImportSectionReader::new(reader(sections, SectionId::Import))?.into_imports() {
            let import = import?;
            match import.ty {
                TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                    let batches = import.module.starts_with("towpath:plugin/batches@");
                    if batches && import.name == "[resource-drop]batch" {
                        drop = Some(imported);
                    }
                    imported += 1;
                }
                TypeRef::Global(_) => imported_globals += 1,
                _ => {}
            }
        }
        let Some(drop) = drop else { return Ok(None) };
        let types: Vec<FuncType> = TypeSectionReader::new(reader(sections, SectionId::Type))?
            .into_iter_err_on_gc_types()
            .collect::<Result<_, _>>()?;
        let functions: Vec<u32> = FunctionSectionReader::new(reader(sections, SectionId::Function))?
            .into_iter()
            .collect::<Result<_, _>>()?;
        let swallow = imported + u32::try_from(functions.len())?;
        let mut wrapped = BTreeMap::new();
        for export in ExportSectionReader::new(reader(sections, SectionId::Export))? {
            let export = export?;
            let named = |(name, _): &&(&str, _)| {
                export.name.ends_with(name) && export.name.starts_with("towpath:plugin/")
            };
            let Some((_, lent)) = LENT.iter().find(named) else {
                continue;
            };
            let own = export
                .index
                .checked_sub(imported)
                .and_then(|own| functions.get(own as usize));
            let ty = own.and_then(|ty| types.get(*ty as usize));
            let (Some(type_index), Some(ty)) = (own, ty) else {
                anyhow::bail!("{} is no function of its own", export.name);
            };
            let wrapper = Wrapper {
                index: swallow + 1 + u32::try_from(wrapped.len())?,
                ty: ty.clone(),
                type_index: *type_index,
                lent,
            };
            wrapped.insert(export.index, wrapper);
        }
        // the runtime's own module imports it as well, and exports nothing of the contract
        if wrapped.is_empty() {
            return Ok(None);
        }
        let first = imported_globals + count(contents(sections, SectionId::Global))?;
        Ok(Some(Self {
            drop,
            swallow,
            wrapped,
            globals: vec![first, first + 1],
        }))
    }

    fn drop_type() -> Vec<u8> {
        // a function of one i32 that gives nothing
        vec![0x60, 1, 0x7f, 0]
    }

    /// In the order of their indexes: the stand-in of drop, then the wrappers. `drop_type` is the last of the types.
    fn functions(&self, drop_type: u32) -> Vec<Vec<u8>> {
        let types = std::iter::once(drop_type).chain(self.wrappers().map(|(_, wrapper)| wrapper.type_index));
        types.map(|ty| encoded(&ty)).collect()
    }

    fn wrappers(&self) -> impl Iterator<Item = (&u32, &Wrapper)> {
        let mut wrappers: Vec<_> = self.wrapped.iter().collect();
        wrappers.sort_by_key(|(_, wrapper)| wrapper.index);
        wrappers.into_iter()
    }

    fn globals(&self) -> Vec<Vec<u8>> {
        let ty = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        let one = || {
            let mut section = GlobalSection::new();
            section.global(ty, &ConstExpr::i32_const(NONE));
            item(&section)
        };
        self.globals.iter().map(|_| one()).collect()
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        let mut swallow = Function::new([]);
        let mut code = swallow.instructions();
        for global in &self.globals {
            code.local_get(0).global_get(*global).i32_eq();
            code.if_(wasm_encoder::BlockType::Empty);
            code.i32_const(NONE).global_set(*global).return_().end();
        }
        code.local_get(0).call(self.drop).end();
        let mut bodies = vec![body(&swallow)];
        bodies.extend(
            self.wrappers()
                .map(|(function, wrapper)| self.wrapper(*function, wrapper)),
        );
        bodies
    }

    /// Calls the function, gives back what was lent, and remembers that it did.
    fn wrapper(&self, function: u32, wrapper: &Wrapper) -> Vec<u8> {
        let parameters = u32::try_from(wrapper.ty.params().len()).unwrap_or_default();
        let results = vec![(
            u32::try_from(wrapper.ty.results().len()).unwrap_or_default(),
            ValType::I32,
        )];
        let mut body_of = Function::new(results);
        let mut code = body_of.instructions();
        for parameter in 0..parameters {
            code.local_get(parameter);
        }
        code.call(function);
        for (result, _) in (parameters..).zip(wrapper.ty.results()) {
            code.local_set(result);
        }
        for (parameter, global) in wrapper.lent.iter().zip(&self.globals) {
            code.local_get(*parameter).global_set(*global);
            code.local_get(*parameter).call(self.drop);
        }
        for (result, _) in (parameters..).zip(wrapper.ty.results()) {
            code.local_get(result);
        }
        code.end();
        body(&body_of)
    }

    fn exports(&self, module: &mut Module, contents: &[u8]) -> anyhow::Result<()> {
        let mut exports = ExportSection::new();
        for export in ExportSectionReader::new(BinaryReader::new(contents, 0))? {
            let export = export?;
            let index = match self.wrapped.get(&export.index) {
                Some(wrapper) if export.kind == ExternalKind::Func => wrapper.index,
                _ => export.index,
            };
            exports.export(export.name, RoundtripReencoder.export_kind(export.kind)?, index);
        }
        module.section(&exports);
        Ok(())
    }

    /// The runtime finds the function that drops a batch in a table.
    fn elements(&self, module: &mut Module, contents: &[u8]) -> anyhow::Result<()> {
        struct Swallow<'a>(&'a Mend);

        impl Reencode for Swallow<'_> {
            type Error = std::convert::Infallible;

            fn function_index(
                &mut self,
                function: u32,
            ) -> Result<u32, wasm_encoder::reencode::Error<Self::Error>> {
                Ok(if function == self.0.drop {
                    self.0.swallow
                } else {
                    function
                })
            }
        }

        let mut elements = wasm_encoder::ElementSection::new();
        let reader = ElementSectionReader::new(BinaryReader::new(contents, 0))?;
        Swallow(self).parse_element_section(&mut elements, reader)?;
        module.section(&elements);
        Ok(())
    }
}

fn contents<'a>(sections: &[(u8, &'a [u8])], id: SectionId) -> &'a [u8] {
    let found = sections.iter().find(|(found, _)| *found == id as u8);
    // an absent section has no items
    found.map_or(&[0], |(_, contents)| contents)
}

fn reader<'a>(sections: &[(u8, &'a [u8])], id: SectionId) -> BinaryReader<'a> {
    BinaryReader::new(contents(sections, id), 0)
}

fn count(contents: &[u8]) -> anyhow::Result<u32> {
    Ok(BinaryReader::new(contents, 0).read_var_u32()?)
}

/// A section of so many items more.
fn append(module: &mut Module, id: u8, contents: &[u8], items: Vec<Vec<u8>>) -> anyhow::Result<()> {
    let mut reader = BinaryReader::new(contents, 0);
    let before = reader.read_var_u32()?;
    let mut data = encoded(&(before + u32::try_from(items.len())?));
    data.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
    items.iter().for_each(|item| data.extend_from_slice(item));
    module.section(&RawSection { id, data: &data });
    Ok(())
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// The one item of a section, which starts with its length and the number one.
fn item(section: &impl Encode) -> Vec<u8> {
    let bytes = encoded(section);
    let mut reader = BinaryReader::new(&bytes, 0);
    let items = reader
        .read_var_u32()
        .and_then(|_| reader.read_var_u32())
        .and_then(|_| reader.read_bytes(reader.bytes_remaining()));
    items.unwrap_or_default().to_vec()
}

fn body(function: &Function) -> Vec<u8> {
    let mut section = CodeSection::new();
    section.function(function);
    item(&section)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        ElementSection, Elements, EntityType, ExportKind, FunctionSection, ImportSection, TypeSection,
    };

    use super::*;

    /// As the module between runtime and world is: it drops what it was lent through a table, after the return.
    fn lent(export: &str) -> Vec<u8> {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32], []);
        types.ty().function([ValType::I32], [ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import(
            "towpath:plugin/batches@0.1.0",
            "[resource-drop]batch",
            EntityType::Function(0),
        );
        let table = wasm_encoder::TableType {
            element_type: wasm_encoder::RefType::FUNCREF,
            table64: false,
            minimum: 1,
            maximum: None,
            shared: false,
        };
        imports.import("env", "table", table);
        let mut functions = FunctionSection::new();
        functions.function(1);
        let mut exports = ExportSection::new();
        exports.export(export, ExportKind::Func, 1);
        let mut elements = ElementSection::new();
        elements.active(
            None,
            &ConstExpr::i32_const(0),
            Elements::Functions(vec![0].into()),
        );
        let mut transform = Function::new([]);
        transform.instructions().local_get(0).end();
        let mut code = CodeSection::new();
        code.function(&transform);
        module.section(&types).section(&imports).section(&functions);
        module.section(&exports).section(&elements).section(&code);
        module.finish()
    }

    /// A component with this module in a component of its own.
    fn component(module: &[u8]) -> Vec<u8> {
        let head = *b"\0asm\x0d\0\x01\0";
        let of = |id: u8, contents: &[u8]| [&head[..], &[id], &encoded(&contents.len()), contents].concat();
        of(COMPONENT, &of(CORE_MODULE, module))
    }

    #[test]
    fn the_exported_function_is_wrapped_and_the_drop_in_the_table_is_swallowed() {
        for (name, wrapped) in [
            ("towpath:plugin/transformation@0.1.0#transform", true),
            ("init", false),
        ] {
            let before = component(&lent(name));
            let after = return_borrows(&before).unwrap();
            assert_eq!(after != before, wrapped, "{name}");
            let outer = sections(&after).unwrap();
            let inner = sections(outer[0].1).unwrap();
            let module = inner[0].1;
            wasmparser::validate(module).unwrap();
            let parts = sections(module).unwrap();
            let export = ExportSectionReader::new(reader(&parts, SectionId::Export)).unwrap();
            let index = export.into_iter().next().unwrap().unwrap().index;
            assert_eq!(index, if wrapped { 3 } else { 1 }, "{name}");
            let element = contents(&parts, SectionId::Element);
            assert_eq!(element.last(), Some(if wrapped { &2 } else { &0 }), "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let whole = component(&lent("towpath:plugin/predicate@0.1.0#matching"));
        for len in 0..whole.len() {
            let cut = return_borrows(&whole[..len]);
            // a component may end after any section
            assert!(cut.is_err() || len == HEADER, "{len}");
        }
    }
}
