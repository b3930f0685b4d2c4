//! The outcome in words.

use super::figures::Figures;
use super::number;
use crate::plan::Plan;

/// A sentence for each target but the first, and one about what was checked.
pub(crate) fn of(plan: &Plan, all: &[Figures]) -> String {
    let mut sentences = Vec::new();
    if let Some((first, others)) = all.split_first() {
        sentences.extend(others.iter().filter_map(|other| compared(plan, first, other)));
    }
    sentences.push(checked(all));
    sentences.join(" ")
}

fn compared(plan: &Plan, first: &Figures, other: &Figures) -> Option<String> {
    let ratio = other.ratio?;
    let [median, least, most] = [ratio.median, ratio.least, ratio.most].map(number);
    let (name, than) = (&other.name, &first.name);
    let rounds = other.rounds.len();
    let sure = if ratio.least > 1.0 || ratio.most < 1.0 {
        String::new()
    } else {
        ", so it is not sure which is better".to_owned()
    };
    let what = if plan.rate.is_some() {
        format!("{name}'s median latency is better than {than}'s by a factor of {median}")
    } else {
        format!("{name} gives {median} times as many good answers a second as {than}")
    };
    Some(format!("{what} ({least} to {most} in {rounds} rounds{sure})."))
}

fn checked(all: &[Figures]) -> String {
    let checked: u64 = all.iter().map(|figures| figures.checked).sum();
    let wrong: u64 = all.iter().map(|figures| figures.wrong).sum();
    match (checked, wrong) {
        (0, _) => "No answer was checked.".to_owned(),
        (_, 0) => format!("All of the {checked} answers that could be checked are right."),
        _ => format!("{wrong} of {checked} answers that could be checked are WRONG."),
    }
}
