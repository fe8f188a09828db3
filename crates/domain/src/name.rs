//! Names that an operator gives: of projects and of templates.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// The longest name in characters.
const LENGTH_MAX: usize = 32;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameError;

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a name is 1 to {LENGTH_MAX} lower-case letters, digits, hyphens and underscores and \
             begins with a letter or a digit"
        )
    }
}

impl core::error::Error for NameError {}

fn check(text: &str) -> Result<String, NameError> {
    let is_inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let begins_well = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if text.len() <= LENGTH_MAX && begins_well && text.bytes().all(is_inner) {
        Ok(text.to_owned())
    } else {
        Err(NameError)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 32 lower-case letters, digits, hyphens and underscores; it begins with a letter
        /// or a digit.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes `text` as a name.
            ///
            /// # Errors
            ///
            /// When it breaks the rule above.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check(text).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a project: the client application that keys and sessions belong to.
    ProjectName
}

name! {
    /// The name of a message template, such as `login`.
    TemplateName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["login", "a", "0", "my-app_2"] {
            assert_eq!(ProjectName::parse(name).unwrap().as_str(), name);
        }
        for name in [
            "",
            "Login",
            "-a",
            "_a",
            "a b",
            "a/b",
            "ä",
            "a.b",
            &"a".repeat(33),
        ] {
            assert_eq!(TemplateName::parse(name), Err(NameError), "{name}");
        }
    }
}
