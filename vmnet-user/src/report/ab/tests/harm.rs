//! Names that mean harm, and numbers that no sane machine gives.

use super::*;
use crate::model::absences::AbsenceError;
use crate::model::experiment::MetricId;

/// An experiment in which everything that others can name is this.
pub(super) fn hostile(name: &str) -> AbReport {
    let all = || name.to_owned();
    let mut report = fixture::helps();
    report.causes = fixture::not_taken().causes;
    report.interface.name = all();
    report.interface.driver = Some(all());
    report.interface.kernel = all();
    report.interface.qdisc = Some(all());
    report.interface.netns.name = Some(all());
    report.window.start = all();
    report.window.problem = Some(all());
    report.feature = all();
    report.warm_up_rule = all();
    report.method = all();
    for arm in &mut report.design.arms {
        arm.name = all();
    }
    for arm in &mut report.effects {
        arm.name = all();
        for effect in &mut arm.effects {
            (effect.name, effect.unit, effect.reason) = (all(), all(), Some(all()));
        }
    }
    if let Some(prediction) = &mut report.prediction {
        (prediction.from, prediction.about, prediction.notes) = (all(), all(), vec![all()]);
    }
    for trial in &mut report.trials {
        trial.recording = Some(all());
        for rejection in &mut trial.rejections {
            rejection.detail = all();
        }
    }
    report.settings.commands = vec![vec![all()]; 3];
    for change in report.settings.followed.iter_mut().flatten() {
        (change.interface, change.what, change.before, change.after) = (all(), all(), all(), all());
    }
    report.settings.restored = Some(false);
    report.settings.not_as_before = vec![all()];
    report.settings.journal = Some(all());
    for cause in &mut report.causes {
        (cause.title, cause.detail, cause.fix.commands) = (all(), all(), vec![all()]);
    }
    report.repeat.command = vec![all(); 3];
    report.repeat.benchmark = vec![all(); 3];
    (report.repeat.vmnet, report.repeat.mode) = (all(), all());
    report.repeat.surroundings.insert(all(), all());
    report.notes = vec![all()];
    report.unmeasured.insert(all(), all());
    report.summary = vec![all()];
    report
}

#[test]
fn names_are_data_and_steer_neither_terminal_nor_page_nor_picture() {
    for name in [
        "<script>alert(1)</script>",
        "'\"><img src=x onerror=alert(1)>",
        "</title></style></script></pre></code><svg onload=alert(1)>",
        "]]><!-- --!> --> <![CDATA[",
        "\u{202E}\u{2066}evil\u{061C}\0\x1b[2J\u{FFFF}\x7f",
        "&lt;&#60;&amp;{{ style }}{% raw %}",
    ] {
        let report = hostile(name);
        let mut words = text::answer(&report, &[PathBuf::from(name)], &WIDE) + &said::plan_of(&report, &WIDE);
        for trial in &report.trials {
            words += &text::trial_line(trial, &report.design, None, &WIDE);
        }
        words += &text::so_far(&report.effects, 3, 6, &WIDE);
        let steers = |c: char| format::is_unprintable(c) && !matches!(c, '\n' | '\t');
        assert_eq!(words.chars().find(|c| steers(*c)), None, "{name:?}");
        for (file, text) in written(&report) {
            if file.ends_with(".json") {
                continue;
            }
            assert_eq!(text.chars().find(|c| steers(*c)), None, "{name:?} in {file}");
            let document = parsed(&text);
            let scripts: Vec<_> = document.descendants().filter(|node| node.has_tag_name("script")).collect();
            let ours = usize::from(file.ends_with(".html"));
            assert_eq!(scripts.len(), ours, "{name:?} in {file}");
            assert!(scripts.iter().all(|script| script.text() == Some(SCRIPT)));
            assert!(!document.descendants().any(|node| node.has_tag_name("img")));
            assert!(
                document.descendants().all(|node| node.attributes().all(|a| !a.name().starts_with("on")))
            );
            // As a parser of HTML would see it, which is not bound to be as strict.
            assert_eq!(text.matches("<script").count(), ours, "{name:?} in {file}");
            assert!(
                !text.contains("<!--") && !text.contains("<img") && !text.contains("<svg onload"),
                "{name:?}"
            );
        }
    }
}

/// Every number that may be absent is this one, and so is every other, as far as it is one.
fn spoilt(mut report: AbReport, number: Option<f64>) -> AbReport {
    let finite = number.filter(|number| number.is_finite()).unwrap_or(0.0);
    for arm in &mut report.effects {
        for effect in &mut arm.effects {
            (effect.base, effect.arm, effect.change_percent, effect.difference) =
                (number, number, number, number);
            effect.interval_percent = number.map(|number| [number, number]);
            effect.interval = effect.interval_percent;
            (effect.chance, effect.smallest_visible) = (number, number);
            effect.by_block.fill(finite);
        }
    }
    if let Some(prediction) = &mut report.prediction {
        (prediction.throughput_percent, prediction.cpu_per_byte_percent) = (number, number);
        prediction.throughput_interval_percent = number.map(|number| [number, number]);
        prediction.cpu_per_byte_interval_percent = prediction.throughput_interval_percent;
        prediction.busiest_cpu_share = number;
    }
    for trial in &mut report.trials {
        for figure in trial.figures.values_mut() {
            *figure = finite;
        }
        if let Some(cpu) = &mut trial.busiest_cpu {
            (cpu.busy, cpu.segmenting) = (number.unwrap_or(0.0), number);
        }
    }
    report
}

#[test]
fn numbers_that_are_none_are_said_and_drawn_as_what_is_not_known() {
    for number in [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
        Some(0.0),
        Some(-1.0),
        Some(-100.0),
        Some(1e300),
        Some(-1e300),
        Some(f64::MAX),
        Some(1e-300),
    ] {
        for (what, report) in
            [("helps", fixture::helps()), ("large", fixture::large()), ("single", fixture::single())]
        {
            let report = spoilt(report, number);
            let lines = text::summary(&report.feature, &report.design, &report.effects, report.blocks);
            let words = lines.join("\n") + &text::answer(&report, &[], &WIDE);
            assert!(!words.contains("NaN") && !words.contains("inf"), "{what} {number:?}: {words}");
            for (file, text) in written(&report) {
                if file.ends_with(".json") {
                    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                    testbed::schema::validate(&value)
                        .unwrap_or_else(|error| panic!("{what} {number:?}: {error:#}"));
                    continue;
                }
                let document = parsed(&text);
                for node in document.descendants().filter(|node| !node.has_tag_name("script")) {
                    let said = node.text().filter(|_| {
                        node.is_text() && !node.parent().is_some_and(|p| p.has_tag_name("script"))
                    });
                    assert!(!said.is_some_and(|said| said.contains("NaN")), "{what} {number:?} in {file}");
                    let mut attributes = node.attributes();
                    assert!(attributes.all(|a| !a.value().contains("NaN")), "{what} {number:?} in {file}");
                }
            }
        }
    }
}

#[test]
fn a_window_without_a_finite_length_is_an_error_and_no_null() {
    let mut report = fixture::helps();
    report.window.duration_s = f64::NAN;
    assert!(
        matches!(report.to_text(), Err(JsonError::Absence(AbsenceError::NotFinite(path))) if path == "window.duration_s")
    );
}

#[test]
fn an_experiment_with_nothing_in_it_is_told_and_drawn() {
    let mut report = fixture::not_taken();
    report.design.arms.clear();
    report.sizes.clear();
    report.settings.commands.clear();
    report.settings.followed.clear();
    report.causes.clear();
    report.notes.clear();
    report.repeat.command.clear();
    report.window.problem = None;
    assert_eq!(written(&report).len(), 2, "no chart has anything to show");
    let said = text::answer(&report, &[], &WIDE);
    assert!(said.starts_with("NOT KNOWN  nothing can be said: "), "{said}");
    assert!(said::plan_of(&report, &WIDE).contains("6 blocks of 0 trials"));
}

#[test]
fn an_arm_or_a_block_that_nobody_knows_is_no_reason_to_fail() {
    let mut report = fixture::helps();
    report.trials[3].arm = usize::MAX;
    report.trials[4].block = u32::MAX;
    report.trials[5].figures = [(MetricId::RttUs, 3.0)].into();
    report.effects[0].arm = 77;
    report.effects[1].effects.clear();
    assert!(!text::answer(&report, &[], &WIDE).is_empty());
    let line = text::trial_line(&report.trials[3], &report.design, Some(f64::NAN), &WIDE);
    assert!(line.starts_with("block 1 of 10 ") && !line.contains("left"), "{line}");
    written(&report);
}
