use super::*;

const ADMITS: Rule = Rule {
    admits: true,
    threshold: Duration::from_secs(20),
};

fn at(second: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000 + second).unwrap()
}

fn look(second: i64, answers: bool, missed: usize) -> Look {
    Look {
        now: at(second),
        answers,
        missed,
    }
}

/// Second, whether an injector answers, pods without a sidecar.
type Looks<'a> = &'a [(i64, bool, usize)];

/// The fuse after these looks.
fn after(rule: Rule, looks: Looks) -> Fuse {
    looks.iter().fold(Fuse::default(), |fuse, look_| {
        fuse.step(rule, look(look_.0, look_.1, look_.2))
    })
}

#[test]
#[rustfmt::skip]
fn an_outage_blocks_then_admits_then_mends() {
    let table: [(Looks, bool, bool); 9] = [
        // looks                                                        blown  mends
        (&[(0, true, 0)],                                                false, false),
        (&[(0, false, 0)],                                               false, false), // refused at first
        (&[(0, false, 0), (19, false, 0)],                               false, false),
        (&[(0, false, 0), (20, false, 0)],                               true,  false),
        (&[(0, false, 0), (15, true, 0), (30, false, 0), (45, false, 0)], false, false), // two short ones
        (&[(0, false, 0), (20, false, 0), (25, true, 3)],                false, true),
        (&[(0, false, 0), (20, false, 0), (25, true, 3), (90, true, 1)], false, true),
        (&[(0, false, 0), (20, false, 0), (25, true, 3), (28, true, 0)], false, true),  // API servers lag
        (&[(0, false, 0), (20, false, 0), (25, true, 3), (90, true, 0)], false, false),
    ];
    for (looks, blown, mends) in table {
        let fuse = after(ADMITS, looks);
        assert_eq!((fuse.blown(), fuse.mends()), (blown, mends), "{looks:?}: {fuse:?}");
    }
}

#[test]
fn a_second_outage_keeps_the_memory_of_the_first() {
    let looks = [
        (0, false, 0),
        (20, false, 0),
        (25, true, 3),
        (30, false, 3),
        (31, false, 3),
    ];
    let again = after(ADMITS, &looks);
    assert!(!again.blown() && !again.mends(), "{again:?}");
    let again = again.step(ADMITS, look(50, false, 3));
    assert!(again.blown());
    assert_eq!(again.window.unwrap().from, at(0));
}

#[test]
fn block_never_admits_and_ends_what_was_admitted() {
    let block = Rule {
        admits: false,
        ..ADMITS
    };
    assert!(!after(block, &[(0, false, 0), (3600, false, 0)]).blown());
    let blown = after(ADMITS, &[(0, false, 0), (20, false, 0)]);
    let stopped = blown.step(block, look(30, false, 1));
    assert_eq!(stopped.window.unwrap().until, Some(at(30)));
}

#[test]
fn the_spec_says_when_the_fuse_blows() {
    let rule = |text: &str| Rule::of(&serde_saphyr::from_str(text).unwrap());
    assert_eq!(rule("{}"), ADMITS);
    assert_eq!(
        rule("{outageThreshold: 1m}").threshold,
        Duration::from_secs(60)
    );
    assert!(!rule("{onOutage: Block}").admits);
    let ignore = rule("{failurePolicy: Ignore, outageThreshold: 1m}");
    assert_eq!((ignore.admits, ignore.threshold), (true, Duration::ZERO));
}

#[test]
fn a_pod_counts_when_it_was_made_while_pods_were_admitted() {
    let window = Window {
        from: at(20),
        until: Some(at(40)),
    };
    for (second, expected) in [(19, false), (20, true), (50, true), (51, false)] {
        assert_eq!(window.contains(at(second)), expected, "{second}");
    }
}

#[test]
fn the_status_remembers_the_fuse() {
    let fuse = after(ADMITS, &[(0, false, 0), (20, false, 0), (25, true, 3)]);
    let stamp = |time: OffsetDateTime| {
        let stamp = k8s_openapi::jiff::Timestamp::from_second(time.unix_timestamp());
        Some(Time(stamp.unwrap()))
    };
    let window = fuse.window.unwrap();
    let status = InjectionStatus {
        outage_since: fuse.outage.and_then(stamp),
        admitted_since: stamp(window.from),
        admitted_until: window.until.and_then(stamp),
        ..InjectionStatus::default()
    };
    assert_eq!(Fuse::read(Some(&status)), fuse);
    assert_eq!(Fuse::read(None), Fuse::default());
}
