//! An Avro schema as its decoder walks it: types by number, so that a type may hold itself.

use std::collections::HashMap;

use apache_avro::{
    Schema as Parsed,
    schema::{Name, Namespace},
};

/// A schema.
#[derive(Debug)]
pub(crate) struct Schema {
    types: Vec<Type>,
    pub(crate) root: usize,
}

/// How a type is encoded, which is all that matters here: logical types are their underlying ones. Numbers are those of other types.
#[derive(Clone, Debug)]
pub(crate) enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Bytes,
    String,
    /// also float and double
    Fixed(usize),
    /// with so many symbols
    Enum(usize),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<usize>),
}

// === impl Schema ===

impl Schema {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let explain = |error: apache_avro::Error| match std::error::Error::source(&error) {
            Some(cause) => format!("is not an Avro schema: {error}: {cause}"),
            None => format!("is not an Avro schema: {error}"),
        };
        let parsed = Parsed::parse_str(text).map_err(explain)?;
        let mut builder = Builder::default();
        let root = builder.add(&parsed, &None)?;
        Ok(Self {
            types: builder.types,
            root,
        })
    }

    pub(crate) fn get(&self, index: usize) -> &Type {
        &self.types[index]
    }
}

#[derive(Default)]
struct Builder {
    types: Vec<Type>,
    names: HashMap<Name, usize>,
}

// === impl Builder ===

impl Builder {
    fn add(&mut self, schema: &Parsed, namespace: &Namespace) -> Result<usize, String> {
        let kind = match schema {
            Parsed::Ref { name } => {
                let name = name.fully_qualified_name(namespace);
                let known = self.names.get(&name).copied();
                return known.ok_or_else(|| {
                    format!("is not an Avro schema: there is no type {}", name.fullname(None))
                });
            }
            Parsed::Null => Type::Null,
            Parsed::Boolean => Type::Boolean,
            Parsed::Int | Parsed::Date | Parsed::TimeMillis => Type::Int,
            Parsed::Long
            | Parsed::TimeMicros
            | Parsed::TimestampMillis
            | Parsed::TimestampMicros
            | Parsed::TimestampNanos
            | Parsed::LocalTimestampMillis
            | Parsed::LocalTimestampMicros
            | Parsed::LocalTimestampNanos => Type::Long,
            Parsed::Float => Type::Fixed(4),
            Parsed::Double => Type::Fixed(8),
            Parsed::Duration => Type::Fixed(12),
            Parsed::Bytes | Parsed::BigDecimal => Type::Bytes,
            Parsed::String | Parsed::Uuid => Type::String,
            Parsed::Decimal(decimal) => return self.add(&decimal.inner, namespace),
            Parsed::Fixed(fixed) => return Ok(self.named(&fixed.name, namespace, Type::Fixed(fixed.size))),
            Parsed::Enum(names) => {
                return Ok(self.named(&names.name, namespace, Type::Enum(names.symbols.len())));
            }
            Parsed::Array(array) => Type::Array(self.add(&array.items, namespace)?),
            Parsed::Map(map) => Type::Map(self.add(&map.types, namespace)?),
            Parsed::Union(union) => {
                let branches = union.variants().iter().map(|branch| self.add(branch, namespace));
                Type::Union(branches.collect::<Result<_, _>>()?)
            }
            Parsed::Record(record) => {
                let inner = record.name.fully_qualified_name(namespace).namespace;
                // known by name before its fields are: they may hold it
                let index = self.named(&record.name, namespace, Type::Null);
                let fields = record.fields.iter().map(|field| self.add(&field.schema, &inner));
                self.types[index] = Type::Record(fields.collect::<Result<_, _>>()?);
                return Ok(index);
            }
        };
        Ok(self.push(kind))
    }

    fn named(&mut self, name: &Name, namespace: &Namespace, kind: Type) -> usize {
        let index = self.push(kind);
        self.names.insert(name.fully_qualified_name(namespace), index);
        index
    }

    fn push(&mut self, kind: Type) -> usize {
        self.types.push(kind);
        self.types.len() - 1
    }
}
