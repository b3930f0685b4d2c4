//! Settings that are words of a closed list, and lists of them.

use serde_json::{Value, json};

use super::setting::list_of;
use super::units::Setting;

/// Declares an enum of words, one text form each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant),* }

        impl $name {
            /// Its word in the configuration.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl Setting for $name {
            const KIND: &'static str = concat!("one of", $(" `", $word, "`"),*);

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("expected one of {:?}, got {text:?}", [$($word),*])),
                }
            }

            fn schema() -> Value {
                json!({ "type": "string", "enum": [$($word),*] })
            }
        }
    };
}

words! {
    /// What happens to a request that is larger than its provider takes.
    Oversize {
        /// It is cut into parts that go side by side, and one answer comes back in order.
        Split = "split",
        /// It is passed on whole, and the provider's own answer comes back.
        Forward = "forward",
    }
}

words! {
    /// Which answers of models are kept, and given to whoever asks the same meanwhile.
    ChatCache {
        /// None.
        Off = "off",
        /// Those to requests that ask for no chance and have no effect.
        Deterministic = "deterministic",
        /// Also those that the provider would have drawn anew.
        All = "all",
    }
}

words! {
    /// Endpoints whose whole answers may be kept, where the operator says so.
    CachedRoute {
        /// What is harmful in a text: `/moderations`.
        Moderations = "moderations",
        /// Documents by how well they answer: `/rerank`.
        Rerank = "rerank",
        /// How many tokens a conversation has: `/messages/count_tokens`, `:countTokens` and others.
        CountTokens = "count_tokens",
        /// Texts as tokens and back: `/tokenize`, `/detokenize`.
        Tokenize = "tokenize",
        /// Which models there are: `/models`, for seconds.
        Models = "models",
    }
}

/// A list of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CachedRoutes(Vec<CachedRoute>);

impl CachedRoutes {
    /// Whether an endpoint is on the list.
    pub fn has(&self, route: CachedRoute) -> bool {
        self.0.contains(&route)
    }
}

impl Setting for CachedRoutes {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        Vec::<String>::parse(text)?
            .iter()
            .map(|word| CachedRoute::parse(word))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn schema() -> Value {
        list_of(&CachedRoute::schema())
    }
}

words! {
    /// Where answers come from, and where they go.
    Mode {
        /// From providers and the cache.
        Live = "live",
        /// The same, and into a recording.
        Record = "record",
        /// From a recording, or not at all.
        Replay = "replay",
    }
}

words! {
    /// What requests on a route of a store do.
    RouteKind {
        /// They change nothing.
        Read = "read",
        /// They may.
        Write = "write",
    }
}

words! {
    /// Who is answered.
    Auth {
        /// Whoever reaches the listener.
        Off = "off",
        /// From the cache only who the provider knows.
        Verify = "verify",
        /// Only who has one of the keys that are listed.
        Allowlist = "allowlist",
    }
}

words! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// From which weight on an event is logged.
    LogLevel {
        /// Only what failed.
        Error = "error",
        /// What failed, and what may.
        Warn = "warn",
        /// Starts, stops and changes of state.
        Info = "info",
        /// What helps when something is looked for.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_routes_knows_its_words() {
        let routes = CachedRoutes::parse("rerank, models").unwrap();
        assert!(routes.has(CachedRoute::Rerank) && routes.has(CachedRoute::Models));
        assert!(!routes.has(CachedRoute::Moderations));
        assert!(CachedRoutes::parse("rerank, chat").is_err());
    }
}
