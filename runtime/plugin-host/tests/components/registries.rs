//! What a plugin that was granted the registries can make the host ask.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use towpath_plugin_host::{Answer, Ask, CallError, Limits, Registries, Transformation};

use crate::guests::{Lab, TestRecords};

/// Stores nothing: whatever is asked has to be fetched, and is the id and one.
#[derive(Default)]
struct Forgetful {
    fetched: Mutex<Vec<Ask>>,
    down: bool,
}

impl Registries for Forgetful {
    fn known(&self, _ask: &Ask) -> Option<Answer> {
        None
    }

    fn fetch(&self, ask: &Ask) -> Result<Answer, String> {
        if self.down {
            return Err("the registry does not answer".to_owned());
        }
        self.fetched.lock().unwrap().push(ask.clone());
        match ask {
            Ask::TranslateId { id, .. } => Ok(Answer::Id(Some(id + 1))),
            Ask::Schema { .. } => Ok(Answer::Schema(None)),
        }
    }
}

fn remap(registries: &Arc<Forgetful>) -> (Lab, Transformation) {
    let (lab, plugin) = Lab::plugin("schema_id_remap", Limits::default());
    assert!(plugin.wants_registries());
    let registries: Arc<dyn Registries> = Arc::clone(registries) as Arc<_>;
    let remap = Arc::new(plugin.granted(registries)).transformation(&[]).unwrap();
    (lab, remap)
}

/// A value under each of these ids.
fn values(ids: std::ops::Range<u32>) -> Arc<TestRecords> {
    let values: Vec<Vec<u8>> = ids
        .map(|id| [&[0][..], &id.to_be_bytes(), b"payload"].concat())
        .collect();
    TestRecords::values(values.iter().map(|value| Some(&value[..])))
}

#[test]
fn each_id_is_fetched_once_in_a_call_however_often_it_is_tried() {
    let registries = Arc::new(Forgetful::default());
    let (_lab, mut remap) = remap(&registries);
    let edits = remap.transform(values(10..60)).unwrap();
    let ids: Vec<&[u8]> = edits
        .values
        .values
        .iter()
        .flatten()
        .map(|value| &value[1..5])
        .collect();
    let expected: Vec<[u8; 4]> = (11_u32..61).map(u32::to_be_bytes).collect();
    assert_eq!(ids, expected);
    let fetched = registries.fetched.lock().unwrap();
    assert_eq!(fetched.len(), 50);
    assert_eq!(fetched.iter().collect::<HashSet<_>>().len(), 50);
}

#[test]
fn a_call_that_asks_without_end_breaks_the_plugin_after_a_thousand_answers() {
    let registries = Arc::new(Forgetful::default());
    let (_lab, mut remap) = remap(&registries);
    let error = remap.transform(values(0..5000)).unwrap_err();
    assert!(matches!(error, CallError::Broken(_)), "{error}");
    assert!(
        error.to_string().contains("more than 1000 things in one call"),
        "{error}"
    );
    assert_eq!(registries.fetched.lock().unwrap().len(), 1000);
    // A thousand are not too many, and the plugin is whole again.
    remap.transform(values(0..1000)).unwrap();
    assert_eq!(registries.fetched.lock().unwrap().len(), 2000);
}

#[test]
fn a_registry_that_is_down_is_no_fault_of_the_plugin() {
    let registries = Arc::new(Forgetful {
        down: true,
        ..Forgetful::default()
    });
    let (_lab, mut remap) = remap(&registries);
    let error = remap.transform(values(1..2)).unwrap_err();
    assert!(
        matches!(&error, CallError::Unavailable(what) if what.contains("does not answer")),
        "{error}"
    );
}
