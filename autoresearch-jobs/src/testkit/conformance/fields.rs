//! What a job says is done, or refused: nothing is left out in silence.

use super::{Check, in_time, sh};
use crate::error::LaunchError;
use crate::exit::JobExit;
use crate::job::{FileIn, Job};
use crate::launch::{Launcher, Watch};
use autoresearch_core::{Cancellation, RunId};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// More of anything than there is.
const TOO_MANY: u32 = 1_000_000;

impl<L: Launcher + 'static> Check<L> {
    /// The exit, unless the job was refused for what it asks for.
    async fn ended_or_refused(&self, run: u64, job: &Job) -> Option<JobExit> {
        match self.launch(run, job).await {
            Ok(exit) => Some(exit),
            Err(LaunchError::Setup(_)) => None,
            Err(why) => panic!("`{job}` ended somehow, and the launch gave: {why}"),
        }
    }

    pub(super) async fn exits_say_what_was_used(&self) {
        let script = "(head -c 20000000 /dev/zero; sleep 2) | tail -c 15000000 >/dev/null\n\
                      i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let exit = self.ended(30, &sh(script)).await;
        assert!(exit.success(), "a job that takes time and memory: {exit:?}");
        assert!(!exit.place.trim().is_empty(), "the place where the job ran is not told: {exit:?}");
        assert!(
            exit.wall_seconds >= 1.9,
            "the job took two seconds, and its elapsed time is told as {exit:?}"
        );
        assert!(
            exit.cpu_seconds.is_some_and(|seconds| seconds > 0.01 && seconds < 600.0),
            "the processor time that the job used is not told: {exit:?}"
        );
        assert!(
            exit.peak_memory.is_some_and(|bytes| bytes > 12_000_000),
            "the 15 MB of memory that the job used are not told: {exit:?}"
        );
    }

    pub(super) async fn lines_are_told(&self) {
        let (told, id) = (Arc::new(Mutex::new(Vec::new())), self.id(31));
        let watch = Watch::default().lines({
            let told = Arc::clone(&told);
            move |line| told.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned())
        });
        let job = sh("echo one; echo complained >&2; echo; echo three; printf four");
        let exit = in_time(&job.to_string(), self.launcher.launch(&id, &job, &watch)).await;
        assert!(exit.as_ref().is_ok_and(JobExit::success), "a job that says some lines: {exit:?}");
        let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(told, ["one", "", "three", "four"], "each line of standard output is to be told once");
    }

    pub(super) async fn output_goes_to_its_files(&self) {
        let (out, err) = (self.folder.0.join("stdout.log"), self.folder.0.join("stderr.log"));
        fs::write(&out, "old").unwrap_or_else(|why| panic!("{}: {why}", out.display()));
        let script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo \"line $i\"; done; echo complained >&2; printf end";
        let mut whole: String = (1..=2000).map(|i| format!("line {i}\n")).collect();
        whole.push_str("end");
        let exit = self.ended_or_refused(32, &sh(script).output_to(&out, &err)).await;
        if let Some(exit) = &exit {
            assert!(exit.success(), "a job whose output goes to files: {exit:?}");
            let read = |path| fs::read_to_string(path).unwrap_or_default();
            assert!(
                read(&out) == whole,
                "standard output is not in the file that the job names, or not all of it"
            );
            assert_eq!(read(&err), "complained\n", "standard error is not in the file that the job names");
        }
        let exit = self.ended(32, &sh(script)).await;
        let (shown, end) = (&exit.stdout, &whole[whole.len() - 4000..]);
        assert!(
            shown.ends_with(end) && shown.len() <= JobExit::SHOWN,
            "of long output the end is told, at most {} bytes of it: {} bytes that end with {:?}",
            JobExit::SHOWN,
            shown.len(),
            shown.chars().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<String>()
        );
    }

    pub(super) async fn files_of_each_kind_are_there(&self) {
        let (program, read) = (self.folder.0.join("program"), self.folder.0.join("read"));
        let write = |path: &std::path::Path, text: &str| {
            fs::write(path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        };
        write(&program, "#!/bin/sh\necho \"ran with $1\"\n");
        let mode = fs::set_permissions(&program, fs::Permissions::from_mode(0o755));
        mode.unwrap_or_else(|why| panic!("{}: {why}", program.display()));
        write(&read, "readable\n");
        let script = format!("od -An -tx1 d/bytes && ./d/copy it && cat '{}'", read.display());
        let mut job = sh(&script).copy("d/copy", &program).readable(&read);
        job.files_in.insert("d/bytes".into(), FileIn::Bytes(vec![0, 255, 10, 128]));
        let exit = self.ended(33, &job).await;
        let said: Vec<&str> = exit.stdout.lines().map(str::trim).collect();
        assert!(
            said.first() == Some(&"00 ff 0a 80"),
            "a file of bytes is not there as it was given: {exit:?}"
        );
        assert!(
            said.get(1) == Some(&"ran with it"),
            "the copy of a program is not there, or does not run: {exit:?}"
        );
        assert!(said.get(2) == Some(&"readable"), "what the job names as readable cannot be read: {exit:?}");
        let missing = self.launch(33, &sh("true").copy("a", self.folder.0.join("no-such-file"))).await;
        assert!(
            matches!(missing, Err(LaunchError::Setup(_))),
            "a copy of a file that is not there gave {missing:?}"
        );
    }

    pub(super) async fn a_folder_that_is_named_is_used_and_kept(&self) {
        let (given, into) = (self.folder.0.join("given"), self.folder.0.join("of-given"));
        fs::create_dir(&given).unwrap_or_else(|why| panic!("{}: {why}", given.display()));
        fs::write(given.join("there"), "was there\n").unwrap_or_else(|why| panic!("{why}"));
        let job = sh("cat there put; echo left >left; cd \"$HOME\" && echo home >home")
            .folder(&given)
            .file("put", "was put\n")
            .collect(["left"], &into);
        if let Some(exit) = self.ended_or_refused(34, &job).await {
            assert_eq!(
                exit.stdout, "was there\nwas put\n",
                "a job does not run in the folder that it names: {exit:?}"
            );
            let read = |path| fs::read_to_string(path).unwrap_or_default();
            assert!(
                read(given.join("there")) == "was there\n" && read(given.join("left")) == "left\n",
                "the folder that the job names is not left as the job has left it"
            );
            assert_eq!(
                (exit.files.len(), &*read(into.join("left"))),
                (1, "left\n"),
                "files of it are collected"
            );
        }
        let none = self.launch(34, &sh("true").folder(self.folder.0.join("no-such-folder"))).await;
        assert!(matches!(none, Err(LaunchError::Setup(_))), "a folder that is not there gave {none:?}");
    }

    /// A job that asks for more than there is is refused or waits; it never runs without.
    pub(super) async fn what_is_not_there_is_not_left_out(&self) {
        let begun = Instant::now();
        let exit = self.ended_or_refused(35, &sh("true").cpus(1)).await;
        assert!(exit.is_none_or(|exit| exit.success()), "a job that asks for one CPU");
        let patience = 3 * begun.elapsed() + Duration::from_secs(1);
        for (what, job) in [("GPUs", sh("true").gpus(TOO_MANY)), ("CPUs", sh("true").cpus(TOO_MANY))] {
            let (cancel, run) = (Cancellation::new(), RunId(35));
            let (launcher, watch) = (Arc::clone(&self.launcher), Watch::new(&cancel));
            let id = crate::id::JobId::new(&self.study, run, 0);
            let launch = tokio::spawn(async move { launcher.launch(&id, &job, &watch).await });
            let until = Instant::now() + patience;
            while Instant::now() < until && !launch.is_finished() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            cancel.cancel();
            let gave = in_time("a job that asks for too much, cancelled", launch).await;
            assert!(matches!(gave, Ok(Err(_))), "a job that asks for a million {what} gave {gave:?}");
        }
    }
}
