//! Recordings that are whole, torn, damaged, newer, hostile and long.

use std::time::Instant;

use super::frames::{BEGIN, END, SAMPLE, write_frame, write_preamble};
use super::testing::{Load, end, event, recording, start};
use super::*;
use crate::model::ending::RunEnding;
use crate::model::machine::QueueCounters;
use crate::model::timeline::Timeline;
use crate::report::run::json;

/// As the session has it, without a file between.
fn run(seconds: u64, cpus: usize, end: Option<End>) -> Run {
    let mut load = Load::new(cpus, 4);
    let start = start();
    let mut timeline = Timeline::default();
    timeline.push(load.first(), &start.conditions);
    for _ in 0..seconds {
        timeline.push(load.next(), &start.conditions);
    }
    Run { start, timeline, events: vec![event()], end, torn: None }
}

fn json_of(run: &Run) -> serde_json::Value {
    let json = json::to_value(&report(run).unwrap()).unwrap();
    assert_eq!(testbed::report::unexplained_nulls(&json), Vec::<String>::new());
    json
}

#[test]
fn the_report_of_a_recording_is_the_report_of_the_run() {
    let back = read(recording(5, 3, 4, Some(&end())).as_slice()).unwrap();
    assert_eq!(back.torn, None);
    assert_eq!(json_of(&back), json_of(&run(5, 3, Some(end()))));
}

#[test]
fn a_recording_without_its_end_tells_what_it_has_and_that_it_has_no_end() {
    let back = read(recording(5, 3, 4, None).as_slice()).unwrap();
    let told = report(&back).unwrap();
    assert_eq!(json_of(&back)["window"]["ended_by"], "not-recorded");
    assert_eq!(told.window.ended_by, RunEnding::NotRecorded);
    assert!((told.window.duration_s - 5.0).abs() < 0.01);
    assert_eq!(told.ledger.tcp, report(&run(5, 3, None)).unwrap().ledger.tcp);
    assert!(told.unmeasured["(recording)"].contains("after 5.0 s"), "{:?}", told.unmeasured);
    assert!(told.unmeasured["benchmark.exit_code"].contains("without the run's end"));
}

#[test]
fn torn_at_any_byte_it_is_a_prefix_of_the_run_or_a_clear_error() {
    let whole = recording(3, 1, 1, Some(&end()));
    let (mut told, mut refused) = (0, 0);
    let mut samples = 0;
    for length in 0..whole.len() {
        match read(&whole[..length]) {
            Ok(run) => {
                told += 1;
                let now = run.timeline.samples().len();
                assert!((samples..=4).contains(&now), "at {length}: {now} after {samples}");
                assert!(run.end.is_none() && run.torn.is_some(), "at {length}");
                assert!(now == samples || report(&run).is_some(), "at {length}");
                samples = now;
            }
            Err(error) => {
                refused += 1;
                assert!(samples == 0, "at {length}: {error}");
                let said = error.to_string();
                assert!(said.contains("byte") || said.contains("not a recording"), "at {length}: {said}");
            }
        }
    }
    assert_eq!(samples, 4);
    println!("{} bytes: {told} told, {refused} refused", whole.len());
}

#[test]
fn any_byte_that_is_not_as_it_was_written_is_noticed() {
    let whole = recording(3, 1, 1, Some(&end()));
    let mut spoilt = whole.clone();
    for place in 0..whole.len() {
        spoilt[place] ^= 1 << (place % 8);
        let error = read(spoilt.as_slice()).expect_err("a byte is wrong");
        let said = error.to_string();
        assert!(said.contains("byte") || place < 8, "at {place}: {said}");
        spoilt[place] = whole[place];
    }
}

#[test]
fn zeros_after_a_power_failure_are_a_torn_end_and_zeros_in_the_middle_are_damage() {
    let whole = recording(4, 2, 2, None);
    let mut torn = whole.clone();
    torn.extend([0; 20_000]);
    assert_eq!(read(torn.as_slice()).unwrap().timeline.samples().len(), 5);
    torn.push(1);
    assert!(read(torn.as_slice()).unwrap_err().to_string().contains("all zeros"));
}

#[test]
fn a_newer_version_is_refused_by_its_number() {
    let mut newer = recording(2, 1, 1, None);
    newer[8] = 3;
    let check = crc32fast::hash(&newer[..12]);
    newer[12..16].copy_from_slice(&check.to_le_bytes());
    let said = read(newer.as_slice()).unwrap_err().to_string();
    assert!(said.contains("version 3") && said.contains("newer vmnet"), "{said}");
}

#[test]
fn frames_of_a_later_version_are_left_out() {
    let mut with_more = recording(2, 1, 1, None);
    write_frame(&mut with_more, frames::Tag(*b"LATR"), b"whatever").unwrap();
    assert_eq!(read(with_more.as_slice()).unwrap().timeline.samples().len(), 3);
}

#[test]
fn what_is_whole_but_cannot_be_is_refused_where_it_stands() {
    let begin = |body: &[u8]| {
        let mut file = Vec::new();
        write_preamble(&mut file).unwrap();
        write_frame(&mut file, BEGIN, body).unwrap();
        file
    };
    let said = |file: &[u8]| read(file).unwrap_err().to_string();
    assert!(said(&begin(b"{")).contains("at byte 16"));
    let columns = |cpus: u64| {
        let mut begin: serde_json::Value = serde_json::to_value(write::Begin {
            columns: write::Columns {
                sample: columns::SCALARS.map(str::to_owned).to_vec(),
                per_cpu: columns::PER_CPU.clone(),
                per_queue: columns::QUEUE.map(str::to_owned).to_vec(),
                cpus: 1,
                queues: 1,
            },
            run: start(),
        })
        .unwrap();
        begin["columns"]["cpus"] = cpus.into();
        serde_json::to_vec(&begin).unwrap()
    };
    assert!(said(&begin(&columns(1 << 40))).contains("more CPUs"));
    let mut file = begin(&columns(1));
    assert!(said(&file).contains("no sample"));
    for (much, what) in [
        ("\"\",".repeat(300_000), "values, more than any run"),
        (format!("\"{}\"", "x".repeat(2 << 20)), "bytes of text"),
    ] {
        assert!(said(&begin(format!("{{\"a\": [{much}").as_bytes())).contains(what), "{what}");
    }
    write_frame(&mut file, SAMPLE, b"\x01\x02").unwrap();
    assert!(said(&file).contains("damaged at byte"));
    let mut twice = recording(2, 1, 1, Some(&end()));
    write_frame(&mut twice, END, b"{}").unwrap();
    assert!(said(&twice).contains("something follows its end"));
    assert!(said(b"").contains("not a recording"));
    assert!(said(b"PK\x03\x04 something else entirely").contains("not a recording"));
}

#[test]
fn damage_behind_the_check_sums_is_found_as_well() {
    let whole = recording(3, 1, 1, Some(&end()));
    assert_eq!(with_check_sums(&whole), whole);
    let (mut told, mut refused) = (0, 0);
    // The beginning is long, and mostly names.
    for place in (16..whole.len()).step_by(41) {
        let mut spoilt = whole.clone();
        spoilt[place] ^= 0x10;
        match read(with_check_sums(&spoilt).as_slice()) {
            Ok(run) => {
                told += usize::from(report(&run).is_some());
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("byte"), "at {place}: {error}");
            }
        }
    }
    assert!(told > 0 && refused > 0, "{told} told, {refused} refused");
}

/// 8 CPUs, 8 queues, some 130 counters of each CPU moving every second by amounts that cannot be foreseen.
#[test]
fn an_hour_of_eight_cpus_takes_less_than_ten_megabytes() {
    let minute = recording(60, 8, 8, None).len();
    let two = recording(120, 8, 8, None).len();
    let hour = minute + (two - minute) * 59;
    println!("a second takes {} bytes, an hour {hour}", (two - minute) / 60);
    assert!(hour < 10_000_000, "{hour}");
}

/// `VMNET_LOOK=DIR cargo test -p vmnet-user long_recordings`: an hour and a day to time `vmnet report` with.
#[test]
fn long_recordings_to_look_at() {
    let Some(directory) = std::env::var_os("VMNET_LOOK") else { return };
    for (name, seconds) in [("hour", 3_600), ("day", 86_400)] {
        let file = std::path::Path::new(&directory).join(format!("{name}.vmnet"));
        std::fs::write(file, recording(seconds, 8, 8, Some(&end()))).unwrap();
    }
}

/// What grows with the square of anything would show: four times the samples may not take ten times as long.
#[test]
fn reading_takes_time_in_proportion_to_the_samples() {
    let took = |seconds: u64| {
        let file = recording(seconds, 2, 2, Some(&end()));
        // The fastest: others are at work on this machine.
        let once = || {
            let begun = Instant::now();
            let run = read(file.as_slice()).unwrap();
            assert!(report(&run).is_some());
            begun.elapsed()
        };
        [once(), once(), once()].into_iter().min().unwrap()
    };
    let (few, many) = (took(250), took(1_000));
    assert!(many < few * 10, "{few:?} for 250 samples, {many:?} for 1,000");
}

/// Real runs that the first version recorded, each beside what it said of it.
const OF_VERSION_1: [&str; 4] = ["tso-on", "tso-off", "host-no-tso", "flip"];

fn of_version_1(file: &str) -> Vec<u8> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/recording/version_1");
    std::fs::read(directory.join(file)).unwrap()
}

#[test]
fn what_the_first_version_recorded_gives_the_verdict_ledger_and_audit_that_it_gave() {
    for name in OF_VERSION_1 {
        let recording = of_version_1(&format!("{name}.vmnet"));
        assert_eq!(recording[8], 1);
        let report = report(&read(recording.as_slice()).unwrap()).unwrap();
        let now = serde_json::to_value(report).unwrap();
        let then: serde_json::Value = serde_json::from_slice(&of_version_1(&format!("{name}.json"))).unwrap();
        assert_all_of(&then, &now, name);
    }
}

/// All that the left says stands at the right, which may say more.
fn assert_all_of(left: &serde_json::Value, right: &serde_json::Value, at: &str) {
    if let Some(members) = left.as_object() {
        for (name, value) in members {
            assert_all_of(value, &right[name], &format!("{at}/{name}"));
        }
    } else if let Some(elements) = left.as_array() {
        for (place, value) in elements.iter().enumerate() {
            assert_all_of(value, &right[place], &format!("{at}/{place}"));
        }
    } else {
        assert_eq!(left, right, "{at}");
    }
}

/// As a light run would have seen them. They are from before the queue foresaw anything.
#[test]
fn what_the_first_version_recorded_has_the_same_light_ledger() {
    for name in OF_VERSION_1 {
        let run = read(of_version_1(&format!("{name}.vmnet")).as_slice()).unwrap();
        let sight = run.sight();
        for segmentation in [true, false] {
            let held = crate::model::light::beside(&run.window(&sight), segmentation);
            assert_eq!(held, Some(Ok(())), "{name}, segmentation {segmentation}");
        }
    }
}

/// Few bytes, and many queues times many samples: nothing moves but time. Under `VMNET_BLESS=1` it becomes a seed of the fuzzer.
fn bomb(samples: u64) -> Vec<u8> {
    let load = Load::new(8, 4096);
    let mut sample = load.first();
    for queue in &mut sample.queues {
        *queue = QueueCounters { packets: Some(1), bytes: Some(1), kicks: Some(1) };
    }
    let mut writer = Writer::begin(Vec::new(), &start(), &sample, &load.by_cpu).unwrap();
    for _ in 0..samples {
        sample.at_ns += 1_000_000_000;
        writer.sample(&sample, &load.by_cpu).unwrap();
    }
    writer.end(&end()).unwrap()
}

#[test]
fn a_small_recording_of_many_queues_makes_no_large_report() {
    let file = bomb(2_000);
    if std::env::var_os("VMNET_BLESS").is_some() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/recording");
        std::fs::create_dir_all(&seeds).unwrap();
        std::fs::write(seeds.join("many-queues.vmnet"), &file).unwrap();
    }
    assert!(file.len() < 200_000, "{}", file.len());
    let run = read(file.as_slice()).unwrap();
    let text = json::to_text(&report(&run).unwrap()).unwrap();
    println!(
        "{} bytes of recording, {} samples, {} of JSON",
        file.len(),
        run.timeline.samples().len(),
        text.len()
    );
    assert!(text.len() < 20 << 20, "{} bytes", text.len());
    assert_eq!(run.timeline.samples().last().unwrap().at_ns, 2_000_000_000_000);
}
