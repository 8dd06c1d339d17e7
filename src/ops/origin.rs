//! Where a value comes from.

use crate::diagnostic::Span;
use std::borrow::Cow;
use std::sync::Arc;

/// One reason for a value to be there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It is written in the source text.
    Source(Span),
    /// The chain rule made it for the operator written at `span`.
    Adjoint {
        /// The place of the operator.
        span: Span,
        /// The name of the operator.
        rule: Cow<'static, str>,
        /// Which operand's adjoint it serves; `None` for an operator of one operand.
        operand: Option<u8>,
    },
    /// A law made it from another value.
    Law(&'static str),
}

/// The reasons for a value to be there, without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    reasons: Option<Arc<[Origin]>>,
    call: Option<u32>,
}

/// How many reasons are kept: a law that gathers a long chain would keep one for each link.
const LIMIT: usize = 16;

impl Origins {
    /// One reason.
    pub fn one(origin: Origin) -> Origins {
        Origins { reasons: Some(Arc::new([origin])), call: None }
    }

    /// The same reasons, for a value that the inlined call of this number computes, or the adjoint of the call.
    pub fn within(self, call: Option<u32>) -> Origins {
        Origins { call, ..self }
    }

    /// The number of the inlined call that computes the value, or whose adjoint does.
    pub fn call(&self) -> Option<u32> {
        self.call
    }

    /// Adds the reasons of `other`; the value stays in its call.
    pub fn unite(&mut self, other: &Origins) {
        let (Some(known), Some(more)) = (&self.reasons, &other.reasons) else {
            if self.reasons.is_none() {
                self.clone_from(other);
            }
            return;
        };
        if Arc::ptr_eq(known, more) {
            return;
        }
        let new = more.iter().filter(|origin| !known.contains(origin));
        let mut new = new.take(LIMIT - known.len()).peekable();
        if new.peek().is_some() {
            let all: Vec<Origin> = known.iter().chain(new).cloned().collect();
            self.reasons = Some(all.into());
        }
    }

    /// The reasons in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Origin> {
        self.reasons.iter().flat_map(|reasons| reasons.iter())
    }

    /// Whether it is written in the source text.
    pub fn source(&self) -> Option<Span> {
        self.iter().find_map(|origin| match origin {
            Origin::Source(span) => Some(*span),
            _ => None,
        })
    }

    /// The place in the source text that it has to do with.
    pub fn span(&self) -> Option<Span> {
        self.source().or_else(|| {
            self.iter().find_map(|origin| match origin {
                Origin::Adjoint { span, .. } => Some(*span),
                _ => None,
            })
        })
    }
}

impl From<Origin> for Origins {
    fn from(origin: Origin) -> Origins {
        Origins::one(origin)
    }
}
