//! The places in a response where members say what it used.

/// A member that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    /// An object with counts.
    Usage,
    /// The model that responded.
    Model,
    /// The service tier.
    Tier,
    /// Ollama's count of the input.
    PromptEval,
    /// Ollama's count of the output.
    Eval,
}

/// A place in the structure that is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A list of responses.
    List,
    /// A response, or an event.
    Response,
    /// The object in an event that has the members of a response.
    Wrapper,
    /// The list of choices.
    Choices,
    /// A choice, which has a usage at Moonshot.
    Choice,
}

/// The use of the value that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Skip,
    Enter(Place),
    Capture(Member),
}

/// Whether the place is an object; otherwise it is a list.
pub(super) fn is_object(place: Place) -> bool {
    !matches!(place, Place::List | Place::Choices)
}

/// The member of a response with this name, if it says what the response used.
pub(super) fn member(name: &str) -> Option<Member> {
    match next(Place::Response, name.as_bytes()) {
        Next::Capture(member) => Some(member),
        Next::Skip | Next::Enter(_) => None,
    }
}

/// The use of a member's value.
pub(super) fn next(place: Place, key: &[u8]) -> Next {
    match (place, key) {
        (Place::Choice, b"usage") => Next::Capture(Member::Usage),
        (Place::Choice | Place::List | Place::Choices, _) => Next::Skip,
        // Cohere's rerank and embeddings have theirs in `meta`.
        (_, b"usage" | b"usageMetadata" | b"usage_metadata" | b"meta") => {
            Next::Capture(Member::Usage)
        }
        (_, b"model" | b"modelVersion") => Next::Capture(Member::Model),
        (_, b"service_tier") => Next::Capture(Member::Tier),
        (Place::Response, b"prompt_eval_count") => Next::Capture(Member::PromptEval),
        (Place::Response, b"eval_count") => Next::Capture(Member::Eval),
        (Place::Response, b"message" | b"response" | b"delta" | b"x_groq") => {
            Next::Enter(Place::Wrapper)
        }
        (Place::Response, b"choices") => Next::Enter(Place::Choices),
        (Place::Response | Place::Wrapper, _) => Next::Skip,
    }
}
