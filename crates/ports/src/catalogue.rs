//! The messages that there are, for each project.

use std::collections::BTreeMap;
use std::sync::Arc;

use otpost_domain::{Language, ProjectName, TemplateName};

/// The messages of one project.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Every template.
    pub templates: Vec<TemplateName>,
    /// Every language.
    pub languages: Vec<Language>,
    /// The languages of those templates that are not written in all of them.
    pub exceptions: BTreeMap<TemplateName, Vec<Language>>,
}

impl Catalogue {
    /// The languages that `template` is written in.
    #[must_use]
    pub fn languages_of(&self, template: &TemplateName) -> &[Language] {
        self.exceptions.get(template).unwrap_or(&self.languages)
    }
}

/// Knows the messages of every project.
pub trait Catalogues: Send + Sync {
    /// Those of `project`, as they are now.
    fn of(&self, project: &ProjectName) -> Arc<Catalogue>;
}

/// The same messages for every project.
impl Catalogues for Catalogue {
    fn of(&self, _: &ProjectName) -> Arc<Catalogue> {
        Arc::new(self.clone())
    }
}
