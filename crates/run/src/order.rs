//! The five phases of a plan; steps keep their order within one.

use pq_steps::AnyStep;

use crate::Planned;

/// When a step is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What must be true before anything is changed.
    Assert,
    /// What the package transaction reads.
    Sources,
    /// The one package transaction.
    Packages,
    /// All else.
    Rest,
    /// What runs on the files of all of that: services that owners share, and whether they answer.
    Services,
}

/// The phase of a step.
pub fn phase(planned: &Planned) -> Phase {
    match &planned.step {
        AnyStep::Assert(_) => Phase::Assert,
        AnyStep::AptSource(_) => Phase::Sources,
        _ if planned.record.before.is_some() => Phase::Sources,
        AnyStep::Package(_) => Phase::Packages,
        _ if planned.record.after.is_some() => Phase::Services,
        _ => Phase::Rest,
    }
}

/// The steps in the order in which they are executed.
pub fn ordered(steps: &[Planned]) -> Vec<&Planned> {
    let mut steps: Vec<&Planned> = steps.iter().collect();
    steps.sort_by_key(|planned| phase(planned));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wants_the_files_of_all_comes_behind_them_whoever_wrote_it_first() {
        let step = |id: &str, mark: &str| {
            format!(
                r#"{{"type":"step","host":"a","id":"{id}","title":"t","do":"directory"{mark},"path":"/{id}"}}"#
            )
        };
        let source =
            r#"{"type":"step","host":"a","id":"wiki/apt","title":"t","do":"apt_source","name":"wiki",
            "uris":["https://deb.wiki.test"],"suites":["./"],"key_url":"https://deb.wiki.test/key",
            "fingerprints":["46C18710DB2104884875DF15FE345D380D525D11"]}"#
                .replace('\n', "");
        let lines = [
            r#"{"type":"run","format":1,"inventory":"/i","digest":"0","time":"2026-11-23T00:00:00Z"}"#
                .to_owned(),
            r#"{"type":"host","host":"a","groups":["all"],"connection":{"kind":"local"},"vars":{}}"#
                .to_owned(),
            step("platform/nginx/service", r#","after":"files""#),
            step("wiki/site", ""),
            step("wiki/conf", r#","before":"packages""#),
            source,
            r#"{"type":"end","hosts":1,"status":0}"#.to_owned(),
        ];
        let work = crate::read(format!("{}\n", lines.join("\n")).as_bytes()).unwrap();
        let ids: Vec<_> = ordered(&work.hosts[0].steps).iter().map(|it| it.record.id.as_str()).collect();
        assert_eq!(ids, ["wiki/conf", "wiki/apt", "wiki/site", "platform/nginx/service"]);
    }
}
