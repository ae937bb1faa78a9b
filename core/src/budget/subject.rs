//! Whose budget it is: which requests are paid from it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Stands for "each": a budget of its own for every value that is seen.
const EACH: &str = "*";

/// Longest value of a facet, in bytes.
const MAX_VALUE_BYTES: usize = 512;

/// What is known of a request that decides which budgets it is paid from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The person or service behind the key or the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The key's stable id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The client's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The model that the request goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tags of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Name of the gateway.
    pub gateway: String,
}

/// One side of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Facet {
    /// [`Facts::gateway`].
    Gateway,
    /// [`Facts::workspace`].
    Workspace,
    /// [`Facts::user`].
    User,
    /// [`Facts::key_id`].
    Key,
    /// [`Facts::session`].
    Session,
    /// [`Facts::model`].
    Model,
    /// Any of [`Facts::tags`].
    Tag,
}

/// Which requests a budget is for: those with all of these facets; all requests where there is none.
///
/// `{"workspace":"acme","user":"ann"}` is Ann's budget in acme. A `*` makes it a template: with
/// `{"workspace":"*","user":"*"}` every user of every workspace gets a budget when first seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "BTreeMap<Facet, String>", into = "BTreeMap<Facet, String>")]
pub struct Subject(BTreeMap<Facet, String>);

/// Which facets a subject names, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(pub u8);

/// Why a subject was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubjectError {
    /// An empty value would fit nobody.
    #[error("{0}: the value is empty; name one, or write * for each")]
    Empty(Facet),
    /// A value that no request can have.
    #[error("{0}: the value is longer than {MAX_VALUE_BYTES} bytes")]
    TooLong(Facet),
}

// === impl Facet ===

impl Facet {
    const ALL: [Self; 7] = [
        Self::Gateway,
        Self::Workspace,
        Self::User,
        Self::Key,
        Self::Session,
        Self::Model,
        Self::Tag,
    ];

    /// The facet as JSON and clients spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Workspace => "workspace",
            Self::User => "user",
            Self::Key => "key",
            Self::Session => "session",
            Self::Model => "model",
            Self::Tag => "tag",
        }
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Facts ===

impl Facts {
    /// The request's values of a facet: none, one, or for tags several.
    fn values(&self, facet: Facet) -> Vec<&str> {
        let one = match facet {
            Facet::Gateway => Some(&self.gateway),
            Facet::Workspace => self.workspace.as_ref(),
            Facet::User => self.user.as_ref(),
            Facet::Key => self.key_id.as_ref(),
            Facet::Session => self.session.as_ref(),
            Facet::Model => self.model.as_ref(),
            Facet::Tag => return self.tags.iter().map(String::as_str).collect(),
        };
        one.map(String::as_str).into_iter().collect()
    }

    /// The subjects of a shape that this request belongs to: what to look up in the ledger, for each shape that
    /// any of its budgets has. Empty where the request has no value for a facet.
    pub fn subjects(&self, shape: Shape) -> Vec<Subject> {
        let facets = Facet::ALL.into_iter().filter(|facet| shape.0 & facet.bit() != 0);
        Subject::each(facets).applied_to(self)
    }
}

// === impl Subject ===

impl Subject {
    /// The workspace that it names: `*` for each.
    pub fn workspace(&self) -> Option<&str> {
        self.0.get(&Facet::Workspace).map(String::as_str)
    }

    /// The values of its facets: `*` for each.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// A subject from its facets.
    ///
    /// # Errors
    /// A value that is empty or absurdly long.
    pub fn new(facets: impl IntoIterator<Item = (Facet, String)>) -> Result<Self, SubjectError> {
        let facets: BTreeMap<Facet, String> = facets.into_iter().collect();
        for (facet, value) in &facets {
            if value.is_empty() {
                return Err(SubjectError::Empty(*facet));
            }
            if value.len() > MAX_VALUE_BYTES {
                return Err(SubjectError::TooLong(*facet));
            }
        }
        Ok(Self(facets))
    }

    /// The template of a subject for each value of some facets.
    pub fn each(facets: impl IntoIterator<Item = Facet>) -> Self {
        Self(facets.into_iter().map(|facet| (facet, EACH.to_owned())).collect())
    }

    /// Whether this is a template: a budget for each value of some facet.
    pub fn is_template(&self) -> bool {
        self.0.values().any(|value| value == EACH)
    }

    /// Whether it names a facet.
    pub fn names(&self, facet: Facet) -> bool {
        self.0.contains_key(&facet)
    }

    /// The same subject for each session apart.
    #[must_use]
    pub fn for_each_session(mut self) -> Self {
        self.0.entry(Facet::Session).or_insert_with(|| EACH.to_owned());
        self
    }

    /// The subjects without `*` that a request makes of this one: none where it does not fit, one where it does,
    /// one a tag for each tag. A request whose own value is `*` fits no template: it would be everybody's.
    pub fn applied_to(&self, facts: &Facts) -> Vec<Self> {
        let mut subjects = vec![Self::default()];
        for (facet, wanted) in &self.0 {
            let mut values = facts.values(*facet);
            values.retain(|value| {
                let is_usable = *value != EACH && !value.is_empty() && value.len() <= MAX_VALUE_BYTES;
                is_usable && (wanted == EACH || wanted == value)
            });
            values.sort_unstable();
            values.dedup();
            subjects = subjects
                .iter()
                .flat_map(|subject| values.iter().map(|value| subject.with(*facet, value)))
                .collect();
        }
        subjects
    }

    /// Whether a request is paid from a budget of this subject (or from one made of it, for a template).
    pub fn fits(&self, facts: &Facts) -> bool {
        !self.applied_to(facts).is_empty()
    }

    /// Which facets it names.
    pub fn shape(&self) -> Shape {
        Shape(self.0.keys().fold(0, |shape, facet| shape | facet.bit()))
    }

    /// The one text of this subject, for a unique index: its JSON, facets in a fixed order.
    pub fn key(&self) -> String {
        // Facets are text and so are their values: this cannot fail.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The names of its facets, as a client reads them: `workspace,user`; `gateway` for a budget of everything.
    pub fn scope(&self) -> String {
        if self.0.is_empty() {
            return Facet::Gateway.as_str().to_owned();
        }
        let names: Vec<&str> = self.0.keys().map(|facet| facet.as_str()).collect();
        names.join(",")
    }

    fn with(&self, facet: Facet, value: &str) -> Self {
        let mut facets = self.0.clone();
        facets.insert(facet, value.to_owned());
        Self(facets)
    }
}

impl fmt::Display for Subject {
    /// As people say it: `workspace acme, each user`; `everything` where all requests are meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("everything");
        }
        for (at, (facet, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            if value == EACH {
                write!(f, "{comma}each {facet}")?;
            } else {
                write!(f, "{comma}{facet} {value}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<BTreeMap<Facet, String>> for Subject {
    type Error = SubjectError;

    fn try_from(facets: BTreeMap<Facet, String>) -> Result<Self, SubjectError> {
        Self::new(facets)
    }
}

impl From<Subject> for BTreeMap<Facet, String> {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            workspace: Some("acme".to_owned()),
            user: Some("ann".to_owned()),
            tags: vec!["batch".to_owned(), "eval".to_owned(), "batch".to_owned()],
            gateway: "eu-1".to_owned(),
            ..Facts::default()
        }
    }

    fn subject(json: &str) -> Subject {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn all_facets_must_fit() {
        assert!(subject(r#"{"workspace":"acme","user":"ann"}"#).fits(&facts()));
        assert!(!subject(r#"{"workspace":"beta","user":"ann"}"#).fits(&facts()));
        assert!(!subject(r#"{"session":"s"}"#).fits(&facts()));
        assert!(subject(r#"{"tag":"eval"}"#).fits(&facts()));
        assert!(subject("{}").fits(&facts()));
    }

    #[test]
    fn people_read_whose_it_is() {
        let of = |json: &str| subject(json).to_string();
        assert_eq!(
            of(r#"{"user":"*","workspace":"acme"}"#),
            "workspace acme, each user"
        );
        assert_eq!(of("{}"), "everything");
    }

    #[test]
    fn a_template_makes_the_subject_that_was_seen() {
        let each_user = subject(r#"{"workspace":"*","user":"*"}"#);
        assert!(each_user.is_template());
        assert_eq!(
            each_user.applied_to(&facts()),
            [subject(r#"{"workspace":"acme","user":"ann"}"#)]
        );
        assert_eq!(
            subject(r#"{"tag":"*"}"#).applied_to(&facts()),
            [subject(r#"{"tag":"batch"}"#), subject(r#"{"tag":"eval"}"#)]
        );
    }

    #[test]
    fn a_client_that_calls_itself_each_is_nobody() {
        let mut facts = facts();
        facts.user = Some("*".to_owned());
        assert!(!subject(r#"{"user":"*"}"#).fits(&facts));
    }

    #[test]
    fn a_shape_finds_the_subjects_to_look_up() {
        let ann = subject(r#"{"workspace":"acme","user":"ann"}"#);
        assert_eq!(facts().subjects(ann.shape()), [ann]);
        assert_eq!(facts().subjects(subject(r#"{"session":"s"}"#).shape()), []);
        assert_eq!(facts().subjects(subject("{}").shape()), [subject("{}")]);
    }

    #[test]
    fn the_key_does_not_depend_on_the_order_in_which_it_was_written() {
        let one = subject(r#"{"user":"ann","workspace":"acme"}"#);
        assert_eq!(one.key(), r#"{"workspace":"acme","user":"ann"}"#);
        assert_eq!(subject(&one.key()), one);
        assert_eq!(one.scope(), "workspace,user");
    }

    #[test]
    fn an_empty_value_and_an_unknown_facet_are_refused() {
        for json in [r#"{"user":""}"#, r#"{"colour":"red"}"#] {
            assert!(serde_json::from_str::<Subject>(json).is_err());
        }
    }
}
