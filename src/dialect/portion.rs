//! One input's part of the counts of a call: of its tokens, and of the other numbers of its usage.
//!
//! A provider counts a call as a whole. The count of a call with one input is that input's. The count of any other
//! call is divided by size, so that the parts add up to it again; such a part is an estimate.

use std::borrow::Cow;

use super::json::Members;
use super::listed::COUNT;
use super::reply::EmbedReply;

/// One input's part of what a call is reported to have used.
#[derive(Debug)]
pub struct Portion<'a> {
    /// Tokens.
    pub tokens: u32,
    /// The members of the usage besides the plain counts, as JSON text.
    pub usage: Cow<'a, str>,
    /// The members of the response besides the vectors and the usage, as JSON text.
    pub envelope: Cow<'a, str>,
    /// Whether the tokens were divided by size.
    pub is_estimate: bool,
}

impl EmbedReply {
    /// The part of each input, by the weights of all inputs.
    pub fn portions(&self, weights: &[u64]) -> Vec<Portion<'_>> {
        let sum = weights.iter().fold(0_u64, |sum, weight| sum.saturating_add(*weight));
        let is_estimate = weights.len() > 1 && self.tokens > 0 && sum != self.tokens;
        let usages = parts_of_usage(&self.usage.rest, weights);
        let envelopes = parts_of_envelope(&self.envelope, weights);
        let texts = usages.into_iter().zip(envelopes);
        let parts = share(self.tokens, weights).into_iter().zip(texts);
        let portion =
            |(tokens, (usage, envelope))| Portion { tokens, usage, envelope, is_estimate };
        parts.map(portion).collect()
    }
}

/// Divides a usage's members. A list's template, which has marks in it, has nothing to divide.
fn parts_of_usage<'a>(members: &'a str, weights: &[u64]) -> Vec<Cow<'a, str>> {
    let is_idle = !members.contains(|c: char| matches!(c, '1'..='9'));
    if weights.len() == 1 || is_idle || members.contains(char::is_control) {
        return vec![Cow::Borrowed(members); weights.len()];
    }
    let inner = |part: String| {
        let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        Cow::Owned(inner.unwrap_or_default().to_owned())
    };
    divide("", &format!("{{{members}}}"), weights).into_iter().map(inner).collect()
}

/// Divides the counts that are marked in an envelope.
fn parts_of_envelope<'a>(envelope: &'a str, weights: &[u64]) -> Vec<Cow<'a, str>> {
    if weights.len() == 1 || !envelope.contains(COUNT) {
        return vec![Cow::Borrowed(envelope); weights.len()];
    }
    let mut parts = vec![String::with_capacity(envelope.len()); weights.len()];
    for (at, piece) in envelope.split(COUNT).enumerate() {
        let is_count = at % 2 == 1;
        let pieces = if is_count { divide("tokens", piece, weights) } else { Vec::new() };
        for (nth, part) in parts.iter_mut().enumerate() {
            if at > 0 {
                part.push(COUNT);
            }
            part.push_str(pieces.get(nth).map_or(piece, String::as_str));
        }
    }
    parts.into_iter().map(Cow::Owned).collect()
}

/// Divides the numbers of a member's value. Counts are divided by size and stay whole; a price is divided evenly;
/// everything else is the same in each part.
#[expect(clippy::cast_precision_loss, reason = "a call has less than 2^52 inputs")]
fn divide(name: &str, value: &str, weights: &[u64]) -> Vec<String> {
    if value.starts_with('{')
        && let Ok(Members(members)) = serde_json::from_str(value)
    {
        return divide_members(&members, weights);
    }
    if let Ok(count) = value.parse::<u64>() {
        return share(count, weights).iter().map(u32::to_string).collect();
    }
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    match number {
        Some(count) if name.contains("token") && is_whole(count) => {
            let shares = share(whole(count), weights);
            shares.iter().map(|share| format!("{share}.0")).collect()
        }
        Some(price) => {
            let part = serde_json::to_string(&(price / weights.len() as f64));
            vec![part.unwrap_or_else(|_| value.to_owned()); weights.len()]
        }
        None => vec![value.to_owned(); weights.len()],
    }
}

fn divide_members(
    members: &[(Cow<'_, str>, &serde_json::value::RawValue)],
    weights: &[u64],
) -> Vec<String> {
    let mut parts = vec!["{".to_owned(); weights.len()];
    for (at, (name, value)) in members.iter().enumerate() {
        let written = serde_json::to_string(name).unwrap_or_default();
        for (part, share) in parts.iter_mut().zip(divide(name, value.get(), weights)) {
            if at > 0 {
                part.push(',');
            }
            part.push_str(&written);
            part.push(':');
            part.push_str(&share);
        }
    }
    for part in &mut parts {
        part.push('}');
    }
    parts
}

/// A count as whole tokens, from its JSON text; `None` for any other text.
pub(super) fn count_of(text: &str) -> Option<u64> {
    let number = || text.parse::<f64>().ok().filter(|number| is_whole(*number));
    text.parse().ok().or_else(|| number().map(whole))
}

fn is_whole(number: f64) -> bool {
    (0.0..9e15).contains(&number) && number.fract() == 0.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "is_whole was checked")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// Shares a count out by weight: the shares add up to the count, none is below 1 where the count
/// allows it, and each is its exact part rounded up or down (largest remainder).
fn share(count: u64, weights: &[u64]) -> Vec<u32> {
    let people = weights.len() as u64;
    let (floor, rest) = if count >= people { (1, count - people) } else { (0, count) };
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if sum == u128::from(count) {
        // Weighed in the provider's own unit: nothing to guess.
        return weights.iter().map(|weight| saturate(*weight)).collect();
    }
    let part = |weight: u64| (u128::from(rest) * u128::from(weight)).checked_div(sum).unwrap_or(0);
    let left = |weight: u64| (u128::from(rest) * u128::from(weight)).checked_rem(sum).unwrap_or(0);
    let mut shares: Vec<u64> =
        weights.iter().map(|w| floor + u64::try_from(part(*w)).unwrap_or(u64::MAX)).collect();
    let given: u64 = shares.iter().sum();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(weights.get(*at).map(|weight| left(*weight))));
    let short = usize::try_from(count.saturating_sub(given)).unwrap_or(usize::MAX);
    for at in order.into_iter().cycle().take(if people == 0 { 0 } else { short }) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
    shares.into_iter().map(saturate).collect()
}

fn saturate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn token_counts_are_shared_exactly_where_they_are_known() {
        assert_eq!(share(6, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(share(0, &[5, 5]), [0, 0]);
        assert_eq!(share(1, &[5, 5]), [1, 0]);
        assert_eq!(share(10, &[]), Vec::<u32>::new());
        assert_eq!(share(7, &[0, 0]), [4, 3]);
    }

    #[test]
    fn a_count_is_divided_by_size_and_a_price_evenly() {
        let members = r#""cost":0.5,"details":{"price":1e-2,"n":null},"pictures":3"#;
        let parts = parts_of_usage(members, &[1, 5]);
        assert_eq!(parts[0], r#""cost":0.25,"details":{"price":0.005,"n":null},"pictures":1"#);
        assert_eq!(parts[1], r#""cost":0.25,"details":{"price":0.005,"n":null},"pictures":2"#);
        let other = r#""cached":true,"tier":"free 1","prompt_tokens":8.0"#;
        let parts = parts_of_usage(other, &[2, 2]);
        assert_eq!(parts[1], r#""cached":true,"tier":"free 1","prompt_tokens":4.0"#);
        let envelope = format!("\"a\":{COUNT}10{COUNT},\"b\":\"x\"");
        let halves = parts_of_envelope(&envelope, &[3, 3]);
        assert_eq!(halves[0], format!("\"a\":{COUNT}5{COUNT},\"b\":\"x\""));
    }

    proptest! {
        #[test]
        fn shares_add_up_and_no_input_goes_without(
            count in 0u64..1_000_000,
            weights in prop::collection::vec(0u64..100_000, 1..200),
        ) {
            let shares = share(count, &weights);
            prop_assert_eq!(shares.iter().map(|s| u64::from(*s)).sum::<u64>(), count);
            if count >= weights.len() as u64 && weights.iter().sum::<u64>() != count {
                prop_assert!(shares.iter().all(|share| *share >= 1));
            }
        }
    }
}
