//! The size that a call may have: the provider's limits, the size that lets merged calls succeed, and the share of
//! the calls that run side by side.

use std::time::Instant;

use super::Batcher;
use super::merging::{Change, Merging};
use super::original::Original;
use super::plan::Size;

/// Inputs that wait in a lane go out in this many calls side by side, at most.
const SPREAD: u32 = 4;

/// Calls are not made smaller than this number of inputs for the sake of parallel ones.
const PART: usize = 16;

impl Batcher {
    /// The size that a provider accepts, as configured, published or learned.
    pub(super) fn call_limit(&self, original: &Original) -> Size {
        let known = original.shape.limits();
        let settings = &original.upstream.settings;
        let or = |setting: usize, known: usize| if setting == 0 { known } else { setting };
        let bound = Size {
            inputs: or(settings.max_inputs as usize, known.inputs),
            tokens: or(settings.max_tokens as usize, known.tokens),
            bytes: or(settings.max_bytes.as_usize(), known.bytes),
        };
        self.lessons.of(&original.ticket.line).caps.within(bound)
    }

    /// The size of a call of several requests. Tokens are estimated, perhaps at half the real number, and a limit
    /// that only the merging exceeded must not be exceeded.
    pub(super) fn merge_limit(&self, original: &Original) -> Size {
        let limit = self.call_limit(original);
        let most = self.lessons.of(&original.subject).merging.most(Instant::now());
        let inputs = limit.inputs.min(original.upstream.settings.batch_inputs as usize);
        Size { inputs: inputs.min(most), tokens: limit.tokens / 2, bytes: limit.bytes / 2 }
    }

    /// The size of the next call, so that the waiting inputs are spread over all calls that may be made at a time:
    /// providers take longer for larger calls.
    pub(super) fn share_limit(&self, original: &Original) -> Size {
        let limit = self.merge_limit(original);
        let calls = original.upstream.settings.max_connections.clamp(1, SPREAD) as usize;
        let share = self.lanes.inputs(&original.lane).div_ceil(calls).max(PART);
        Size { inputs: limit.inputs.min(share), ..limit }
    }

    /// Whether requests for a model are not merged now.
    pub(super) fn goes_alone(&self, original: &Original) -> bool {
        self.lessons.of(&original.subject).merging.most(Instant::now()) == 1
    }

    /// The state of merging for a subject, as a sentence for people, where it is restricted.
    pub fn merging_note(&self, original: &Original) -> Option<String> {
        let (most, left) = self.lessons.of(&original.subject).merging.stopped(Instant::now())?;
        let state = match most {
            1 => "off".to_owned(),
            most => format!("limited to {most} inputs per call"),
        };
        let left = left.as_secs();
        Some(format!(
            "merging is {state} for this model for another {left} s: merged calls failed although each request succeeded alone"
        ))
    }

    /// Notes that a merged call brought what was asked for.
    pub(super) fn merged(&self, original: &Original, inputs: usize) {
        self.change_merging(original, |merging| merging.succeeded(inputs, Instant::now()));
    }

    /// Notes that a merged call failed whose requests each succeeded alone. A call for base64 may have failed for
    /// that: the next one asks for numbers.
    pub(super) fn merging_failed(&self, original: &Original, inputs: usize, is_base64: bool) {
        let decline = || {
            self.lessons.change(original.subject, |lesson| {
                let is_news = is_base64 && !lesson.form.is_declined();
                if is_news {
                    lesson.form.decline();
                }
                is_news
            })
        };
        if decline() {
            return tracing::warn!(
                upstream = original.upstream.name,
                model = original.model,
                "a merged call for base64 failed although each request succeeded alone: larder requests numbers of this model"
            );
        }
        self.change_merging(original, |merging| merging.failed(inputs, Instant::now()));
    }

    fn change_merging(
        &self,
        original: &Original,
        change: impl FnOnce(&mut Merging) -> Option<Change>,
    ) {
        let changed = self.lessons.change(original.subject, |lesson| change(&mut lesson.merging));
        let (upstream, model) = (&original.upstream.name, &original.model);
        match changed {
            Some(Change::Stopped(most, pause)) => {
                original.upstream.metrics.merging_stopped.inc();
                tracing::warn!(
                    upstream,
                    model,
                    "merging stopped: merged calls failed although each request succeeded alone; calls have at most {most} inputs of several requests for {} s",
                    pause.as_secs()
                );
            }
            Some(Change::Resumed) => tracing::info!(upstream, model, "merging resumed"),
            None => {}
        }
    }
}
