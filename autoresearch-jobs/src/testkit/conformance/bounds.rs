//! What keeps a job within bounds: its limits, its folder, its environment.

use super::{Check, in_time, sh};
use crate::error::LaunchError;
use crate::job::Job;
use crate::launch::{Launcher, Watch};
use crate::limits::{JobLimits, LimitKind};
use autoresearch_core::Fault;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

impl<L: Launcher + 'static> Check<L> {
    pub(super) async fn limits_end_jobs(&self) {
        let minute = Duration::from_secs(60);
        // Held for a while, so that those who look from time to time see it; of all commands only the one that holds it decides.
        let large = "(head -c 200000000 /dev/zero; sleep 2) | tail -c 190000000 >/dev/null";
        let many = "i=0; while [ $i -lt 60 ]; do sleep 600 & i=$((i+1)); done; wait";
        let cases = [
            (LimitKind::WallClock, sh("sleep 600").wall_clock(Duration::from_secs(1))),
            (LimitKind::CpuTime, sh("while :; do :; done").cpu_time(Duration::from_secs(1))),
            (LimitKind::Memory, sh(large).memory(64 << 20)),
            (LimitKind::Output, sh("while :; do echo 0123456789; done").output(1000)),
            (LimitKind::FileSize, sh("exec head -c 1000000 /dev/zero >big").file_size(100_000)),
            (LimitKind::Disk, sh("head -c 20000000 /dev/zero >big; sleep 600").disk(5 << 20)),
            (LimitKind::Processes, sh(many).processes(20)),
        ];
        // All at once: they end after some seconds each.
        let launches = cases.into_iter().zip(20..).map(|((limit, mut job), run)| {
            job.limits.wall_clock.get_or_insert(minute);
            let (launcher, id) = (Arc::clone(&self.launcher), self.id(run));
            (limit, tokio::spawn(async move { launcher.launch(&id, &job, &Watch::default()).await }))
        });
        for (limit, launched) in launches.collect::<Vec<_>>() {
            let launched = in_time(&format!("a job with a limit of {limit}"), launched).await;
            match launched.unwrap_or_else(|why| panic!("{why}")) {
                Ok(exit) => {
                    assert_eq!(
                        exit.limit,
                        Some(limit),
                        "the limit of {limit} is not kept, or not named: {exit:?}"
                    );
                    assert!(
                        exit.failure().is_some(),
                        "a job that was ended by its limit of {limit} is no failure"
                    );
                }
                Err(LaunchError::Setup(_)) => {}
                Err(why) => panic!("a limit of {limit} gave: {why}"),
            }
        }
        // Reserved and not used; how it ends when it gets nothing is its own affair.
        let reserves = sh("exec dd if=/dev/null of=/dev/null bs=1000000000 count=1");
        let limits = JobLimits { address_space: Some(700 << 20), ..JobLimits::default() };
        match self.launch(3, &Job { limits, ..reserves }).await {
            Ok(exit) => assert!(!exit.success(), "the limit of address space is not kept: {exit:?}"),
            Err(LaunchError::Setup(_)) => {}
            Err(why) => panic!("a limit of address space gave: {why}"),
        }
        let within =
            sh("head -c 1000 /dev/zero >small; echo said").output(1000).file_size(100_000).memory(64 << 20);
        match self.launch(3, &within.cpu_time(minute).wall_clock(minute)).await {
            Ok(exit) => assert!(exit.success(), "a job that is within its limits: {exit:?}"),
            Err(LaunchError::Setup(_)) => {}
            Err(why) => panic!("limits gave: {why}"),
        }
    }

    pub(super) async fn limits_may_be_as_large_as_numbers_are(&self) {
        let most = JobLimits {
            wall_clock: Some(Duration::MAX),
            cpu_time: Some(Duration::MAX),
            memory: Some(u64::MAX),
            address_space: Some(u64::MAX),
            output: Some(u64::MAX),
            file_size: Some(u64::MAX),
            ..JobLimits::default()
        };
        let job = Job { limits: most, ..sh("head -c 100000 /dev/zero >f; echo said") };
        match self.launch(3, &job).await {
            Ok(exit) => assert!(exit.success(), "a job that is far within its limits: {exit:?}"),
            Err(LaunchError::Setup(_)) => {}
            Err(why) => panic!("the largest limits gave: {why}"),
        }
    }

    /// As a mistake in the set-up, or of the candidate: what is tried again and again is neither.
    pub(super) async fn what_cannot_be_started_is_named(&self) {
        const NAME: &str = "no-such-program-anywhere";
        let said = match self.launch(1, &Job::new([NAME])).await {
            Err(LaunchError::Setup(why)) => why,
            Ok(exit) if exit.failure().is_some_and(|why| why.fault() == Fault::Candidate) => exit.to_string(),
            gave => panic!("a program that is not there gave {gave:?}"),
        };
        assert!(said.contains(NAME), "a program that is not there is not named: {said}");
    }

    pub(super) async fn what_is_collected_is_bounded(&self) {
        let into = self.folder.0.join("bounded");
        let job = sh("echo 1 >a; head -c 3000 /dev/zero >b").collect(["a", "b"], &into).collected(100);
        match self.launch(8, &job).await {
            Ok(exit) => {
                assert_eq!(exit.files, ["a"], "more is collected than may be: {exit:?}");
                assert!(!into.join("b").exists(), "more is collected than may be");
                let told = exit.not_collected.iter().any(|what| what.starts_with('b'));
                assert!(told, "what is not collected is not told: {exit:?}");
            }
            Err(LaunchError::Setup(_)) => {}
            Err(why) => panic!("a limit on what is collected gave: {why}"),
        }
    }

    pub(super) async fn nothing_is_there_before_or_afterwards(&self) {
        let mark = &self.study;
        let script = format!(
            "ls -A; echo \"[$PWD][$HOME][$TMPDIR]\"; : >a; mkdir -p d/d && : >d/d/b; chmod 0 d/d d\n\
             for d in \"$PWD\" \"$HOME\" \"$TMPDIR\"; do : >\"$d/{mark}\"; done"
        );
        let exit = self.ended(7, &sh(&script)).await;
        assert!(exit.stdout.starts_with("[/"), "the job's folder is not empty at the start: {exit:?}");
        for folder in exit.stdout.trim().trim_matches(['[', ']']).split("][").map(Path::new) {
            // Where the job sees a place of its own under that name, this machine has another.
            let is_the_systems = [Path::new("/tmp"), &std::env::temp_dir()].contains(&folder);
            let left = if is_the_systems { folder.join(mark) } else { folder.into() };
            assert!(!left.exists(), "{} of a job that has ended is still there", left.display());
        }
        let into = self.folder.0.join("links");
        let script =
            "mkdir out; echo 1 >out/a; ln -s /etc/passwd out/b; ln -s /etc out/c; ln -s \"$PWD/out\" d";
        let exit = self.ended(7, &sh(script).collect(["out/**", "d/*"], &into)).await;
        assert_eq!(exit.files, ["out/a"], "links are neither collected nor followed");
        for name in ["out/b", "out/c", "d"] {
            let found = fs::symlink_metadata(into.join(name));
            assert!(found.is_err(), "links are neither collected nor followed, and {name} was");
        }
    }

    pub(super) async fn environment_is_what_the_job_says(&self) {
        // What shells set by themselves, what each job has, and what tells of the user, which engines may set alike.
        const KNOWN: [&str; 16] = [
            "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_",
            "USER", "LOGNAME", "SHELL", "TERM", "MAIL",
        ];
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let plain =
            |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let of_driver: Vec<(String, String)> = std::env::vars_os()
            .filter_map(text)
            .filter(|(name, value)| plain(name) && !KNOWN.contains(&&**name) && !value.contains('\n'))
            .collect();
        let handed = of_driver.iter().find(|(name, _)| !name.starts_with(|c: char| c.is_ascii_digit()));
        let job = Job::new(["env"]).inherit(handed.map(|(name, _)| name)).env("GIVEN", "a b");
        let exit = self.ended(9, &job).await;
        let seen: Vec<&str> = exit.stdout.lines().collect();
        assert!(seen.contains(&"GIVEN=a b"), "a variable is not there: {seen:?}");
        for variable in &of_driver {
            let (name, value) = variable;
            let is_there = seen.contains(&&*format!("{name}={value}"));
            if handed == Some(variable) {
                // Of long output the end is kept.
                assert!(is_there || exit.stdout.len() > 4000, "{name}, which the job inherits, is not there");
            } else {
                assert!(
                    !is_there,
                    "the job has {name} of the driver's environment, which is not on its list"
                );
            }
        }
    }
}
