//! What is wrong with the fields of a request, by name.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The fields that are wrong, in documented order, unknown ones last. Never a value.
#[derive(Debug, Default)]
pub(crate) struct WrongFields(Vec<(String, String)>);

impl WrongFields {
    /// Notes what is wrong with a field, unless something was noted of it before.
    pub(crate) fn note(&mut self, field: String, message: String) {
        if self.0.iter().all(|(known, _)| *known != field) {
            self.0.push((field, message));
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What to say first.
    pub(crate) fn message(&self) -> &str {
        self.0.first().map_or("", |(_, message)| message)
    }
}

/// `{"email":["…"],…}`
impl Serialize for WrongFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, message) in &self.0 {
            map.serialize_entry(field, &[message])?;
        }
        map.end()
    }
}
