//! How the description shows a part of an answer that is there whole or not at all.

use std::marker::PhantomData;

use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A flattened part that not every viewer gets; for `value_type`, under a name without brackets, and `inline`. Described as an `Option`, it would be described as there: what is flattened has no
/// name of its own that could be left out.
pub struct Part<T>(PhantomData<T>);

impl<T: ToSchema> PartialSchema for Part<T> {
    fn schema() -> RefOr<Schema> {
        let always = match T::schema() {
            RefOr::T(Schema::Object(whole)) => whole.required,
            _ => Vec::new(),
        };
        // What always stands in it is never null; so no answer is both.
        let left_out = always
            .into_iter()
            .fold(ObjectBuilder::new(), |part, name| part.property(name, ObjectBuilder::new().schema_type(Type::Null)));
        let left_out = left_out.description(Some("Nothing of it."));
        OneOfBuilder::new().item(Ref::from_schema_name(T::name())).item(left_out).into()
    }
}

impl<T: ToSchema> ToSchema for Part<T> {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}
