//! Each world's own interface, for whoever implements the kind's trait.

use super::{
    Export, acl_checkers, batch, predicates,
    records::all,
    routers, schema_checkers, transformations, validators,
    wit::{batches, types},
    with,
};
use crate::{AclChecker, Pair, Predicate, Router, SchemaChecker, Transformation, Validator};

impl<P: Transformation> transformations::exports::towpath::plugin::transformation::Guest for Export<P> {
    fn transform(lent: &batches::Batch) -> Result<types::Edits, types::Failure> {
        match with::<P, _>(|plugin| plugin.transform(&batch(lent))) {
            Ok(edits) => Ok(edits.into()),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl<P: Router> routers::exports::towpath::plugin::router::Guest for Export<P> {
    fn map_topic(topic: String) -> Result<Option<String>, types::Failure> {
        with::<P, _>(|plugin| plugin.map_topic(&topic)).map_err(types::Failure::from)
    }

    fn unmap_topic(topic: String) -> Result<Option<String>, types::Failure> {
        with::<P, _>(|plugin| plugin.unmap_topic(&topic)).map_err(types::Failure::from)
    }
}

impl<P: Predicate> predicates::exports::towpath::plugin::predicate::Guest for Export<P> {
    fn matching(lent: &batches::Batch) -> Result<Vec<u32>, types::Failure> {
        with::<P, _>(|plugin| plugin.matching(&batch(lent))).map_err(types::Failure::from)
    }
}

impl<P: Validator> validators::exports::towpath::plugin::validator::Guest for Export<P> {
    fn validate(
        source: &batches::Batch,
        target: &batches::Batch,
        pairs: Vec<validators::exports::towpath::plugin::validator::Pair>,
    ) -> Result<Vec<validators::exports::towpath::plugin::validator::Rejection>, types::Failure> {
        let pairs: Vec<Pair> = pairs
            .into_iter()
            .map(|pair| Pair {
                source: pair.source,
                target: pair.target,
            })
            .collect();
        let rejections = with::<P, _>(|plugin| plugin.validate(&batch(source), &batch(target), &pairs))?;
        Ok(all(rejections))
    }
}

impl<P: SchemaChecker> schema_checkers::exports::towpath::checks::schema_checker::Guest for Export<P> {
    fn check(
        source: Option<schema_checkers::exports::towpath::checks::schema_checker::SubjectState>,
        target: Option<schema_checkers::exports::towpath::checks::schema_checker::SubjectState>,
    ) -> Result<Vec<schema_checkers::towpath::checks::findings::Finding>, types::Failure> {
        let findings = with::<P, _>(|plugin| plugin.check(source.map(Into::into), target.map(Into::into)))?;
        Ok(all(findings))
    }
}

impl<P: AclChecker> acl_checkers::exports::towpath::checks::acl_checker::Guest for Export<P> {
    fn check(
        due: Vec<acl_checkers::exports::towpath::checks::acl_checker::AclBinding>,
        pending: Vec<acl_checkers::exports::towpath::checks::acl_checker::AclBinding>,
        target: Vec<acl_checkers::exports::towpath::checks::acl_checker::AclBinding>,
    ) -> Result<Vec<schema_checkers::towpath::checks::findings::Finding>, types::Failure> {
        let findings = with::<P, _>(|plugin| plugin.check(all(due), all(pending), all(target)))?;
        Ok(all(findings))
    }
}
