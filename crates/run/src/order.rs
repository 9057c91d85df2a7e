//! The phases of a plan; steps keep their order within one.

use std::collections::BTreeSet;

use pq_steps::AnyStep;

use crate::Planned;
use crate::served::Served;

/// When a step is executed.
#[derive(Debug, Clone, Copy)]
enum Phase {
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
fn phase(planned: &Planned) -> Phase {
    match &planned.step {
        AnyStep::Assert(_) | AnyStep::Installed(_) | AnyStep::Ready(_) => Phase::Assert,
        AnyStep::AptSource(_) => Phase::Sources,
        _ if planned.record.before.is_some() => Phase::Sources,
        AnyStep::Package(_) => Phase::Packages,
        _ if planned.record.after.is_some() => Phase::Services,
        _ => Phase::Rest,
    }
}

/// The steps of a plan, by phase; each phase in the order of the stream. What a shared service reads is in none of them:
/// it comes between `rest` and `services`; nor is what a transaction does.
pub struct Order<'p> {
    pub assert: Vec<&'p Planned>,
    pub sources: Vec<&'p Planned>,
    pub packages: Vec<&'p Planned>,
    pub rest: Vec<&'p Planned>,
    pub services: Vec<&'p Planned>,
}

impl<'p> Order<'p> {
    /// Orders the steps of a plan.
    pub fn of(steps: &'p [Planned], served: &[Served<'p>]) -> Self {
        let fed: BTreeSet<&str> = served
            .iter()
            .flat_map(|service| &service.feeding)
            .map(|planned| planned.record.id.as_str())
            .chain(steps.iter().flat_map(|planned| planned.step.named()).map(String::as_str))
            .collect();
        let mut order = Order {
            assert: Vec::new(),
            sources: Vec::new(),
            packages: Vec::new(),
            rest: Vec::new(),
            services: Vec::new(),
        };
        for planned in steps.iter().filter(|planned| !fed.contains(planned.record.id.as_str())) {
            match phase(planned) {
                Phase::Assert => order.assert.push(planned),
                Phase::Sources => order.sources.push(planned),
                Phase::Packages => order.packages.push(planned),
                Phase::Rest => order.rest.push(planned),
                Phase::Services => order.services.push(planned),
            }
        }
        order
    }
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
        let order = Order::of(&work.hosts[0].steps, &[]);
        let ids = |steps: &[&Planned]| steps.iter().map(|it| it.record.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&order.sources), ["wiki/conf", "wiki/apt"]);
        assert_eq!(ids(&order.rest), ["wiki/site"]);
        assert_eq!(ids(&order.services), ["platform/nginx/service"]);
    }
}
