//! Jobs behind a sandbox. Skipped, and said to be, where there is none.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use autoresearch_core::RunId;
use autoresearch_jobs::{
    Bubblewrap, Ended, Job, JobExit, JobId, LaunchError, Launcher, LimitKind, LocalProcess, Watch,
};
use common::{alive, names, sh};
use std::time::Duration;

struct Here {
    root: tempfile::TempDir,
    launcher: Bubblewrap,
}

impl Here {
    /// `None`: there is no sandbox here.
    async fn new() -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let launcher = Bubblewrap::on(LocalProcess::new().folder(root.path()));
        if let Err(why) = launcher.check().await {
            println!("SKIPPED: {why}");
            return None;
        }
        Some(Self { root, launcher })
    }

    async fn run(&self, job: &Job) -> JobExit {
        let exit =
            self.launcher.launch(&JobId::new("sandbox", RunId(1), 0), job, &Watch::default()).await.unwrap();
        assert_eq!(names(self.root.path()), [""; 0], "left behind");
        exit
    }

    async fn said(&self, script: &str) -> String {
        let exit = self.run(&sh(script)).await;
        assert!(exit.success(), "{script}: {exit}");
        exit.stdout
    }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let Some(here) = Here::new().await else { return };
    autoresearch_jobs::testkit::conformance::launcher(|| {
        Bubblewrap::on(LocalProcess::new().folder(here.root.path()))
    })
    .await;
    assert_eq!(names(here.root.path()), [""; 0], "left behind");
}

#[tokio::test]
async fn an_interpreter_that_is_not_in_it_is_a_mistake_in_the_set_up() {
    use std::os::unix::fs::PermissionsExt;
    let Some(here) = Here::new().await else { return };
    let away = tempfile::tempdir().unwrap();
    let (interpreter, script) = (away.path().join("sh"), away.path().join("script"));
    std::fs::copy("/bin/sh", &interpreter).unwrap();
    std::fs::write(&script, format!("#!{}\necho said\n", interpreter.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let job = Job::new(["./script"]).copy("script", &script);
    let id = JobId::new("sandbox", RunId(1), 0);
    let gave = here.launcher.launch(&id, &job, &Watch::default()).await;
    let Err(LaunchError::Setup(why)) = gave else { panic!("{gave:?}") };
    assert!(why.contains("./script cannot be started in the sandbox") && why.contains(".readable("), "{why}");
    assert_eq!(here.run(&job.readable(&interpreter)).await.stdout, "said\n");
}

#[tokio::test]
async fn a_job_sees_the_system_and_itself_and_writes_only_its_own() {
    let Some(here) = Here::new().await else { return };
    let secret = tempfile::tempdir().unwrap();
    let file = secret.path().join("store.db");
    std::fs::write(&file, "secret").unwrap();
    // Unless the launcher's own folder is within, of which the names of the folders above it are seen.
    let home = std::env::var("HOME").unwrap();
    let home = if here.root.path().starts_with(&home) { "/root".into() } else { home };
    for hidden in
        [file.to_str().unwrap(), &home, "/etc/shadow", "/root", "/home", "/var", env!("CARGO_MANIFEST_DIR")]
    {
        let said = here.said(&format!("ls -d {hidden} 2>/dev/null || echo hidden")).await;
        assert_eq!(said, "hidden\n", "{hidden}");
    }
    for place in ["/usr/x", "/etc/x", "/bin/x", "/lib/x", "/opt/x", "/dev/sda", "/proc/sys/kernel/hostname"] {
        let said =
            here.said(&format!("(echo 1 >{place}) 2>/dev/null && test -s {place} || echo denied")).await;
        // What is not bound at all may be written, to a root that is in memory and gone with the job.
        let harmless = !std::path::Path::new(place).exists() || place.starts_with("/proc");
        assert!(said == "denied\n" || harmless, "{place}: {said}");
        assert!(!std::path::Path::new(place).exists() || place.starts_with("/proc"), "{place} was written");
    }
    let said = here.said("echo 1 >own && cat own && touch $HOME/a $TMPDIR/b /tmp/c && ls /tmp").await;
    assert!(said.starts_with("1\n") && !said.contains("autoresearch"), "{said}");
    let readable =
        sh(&format!("cat {0}; echo 1 2>/dev/null >{0} || echo denied", file.display())).readable(&file);
    assert_eq!(here.run(&readable).await.stdout, "secretdenied\n");
    let writable = sh(&format!("echo changed >{}", file.display())).writable(&file);
    assert!(here.run(&writable).await.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "changed\n");
}

#[tokio::test]
async fn there_is_no_network_unless_it_is_asked_for() {
    let Some(here) = Here::new().await else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Bash can open connections by itself.
    let job = Job::new(["bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]);
    let exit = here.run(&job).await;
    assert!(!exit.success() && exit.stderr.contains("refused"), "{exit:?}");
    assert!(here.run(&job.network()).await.success());
    assert_eq!(here.said("tail -n +3 /proc/net/dev | grep -vc ' lo:' || true").await.trim(), "0");
}

#[tokio::test]
async fn it_sees_no_processes_of_others_and_has_no_rights() {
    let Some(here) = Here::new().await else { return };
    let said = here.said("ls /proc | grep -c '^[0-9]'; grep CapEff /proc/self/status").await;
    let (processes, rights) = said.split_once('\n').unwrap();
    assert!(processes.trim().parse::<u32>().unwrap() < 10, "{said}");
    assert!(rights.trim().ends_with("0000000000000000"), "{said}");
}

#[tokio::test]
async fn it_hands_nothing_on_that_is_open() {
    let Some(here) = Here::new().await else { return };
    let _keep = common::inheritable();
    assert_eq!(here.said(common::OPEN).await, "all\n");
}

#[tokio::test]
async fn what_it_sees_of_etc_can_be_added_to() {
    let Some(here) = Here::new().await else { return };
    let usual = here.said("ls -A /etc; (echo 1 >/etc/passwd) 2>/dev/null || echo denied").await;
    assert!(
        usual.contains("passwd\n") && usual.ends_with("denied\n") && !usual.contains("shadow"),
        "{usual}"
    );
    let job = sh("ls -A /etc; test -s /etc/shadow && echo seen").readable("/etc/shadow");
    let more = here.run(&job).await.stdout;
    assert!(more.contains("passwd\n") && more.ends_with("seen\n"), "{more}");
    let said = here.said("pwd; echo $HOME $TMPDIR; echo 1 >/tmp/a; cat $TMPDIR/a").await;
    assert_eq!(said, "/job\n/tmp /tmp\n1\n");
    // Where it has named the machine's own, its own are elsewhere.
    let seen = "ls -d \"$SEEN\"; echo 1 >$TMPDIR/a; cat $HOME/a; echo 1 2>/dev/null >/tmp/autoresearch-not || echo denied";
    let temp = here.root.path().display().to_string();
    let exit = here.run(&sh(seen).readable("/tmp").env("SEEN", &temp)).await;
    if temp.starts_with("/tmp/") {
        assert_eq!(exit.stdout, format!("{temp}\n1\ndenied\n"), "{exit:?}");
    }
}

#[tokio::test]
async fn limits_and_ends_are_told_through_it() {
    let Some(here) = Here::new().await else { return };
    let cases = [
        (sh("sleep 600").wall_clock(Duration::from_millis(300)), LimitKind::WallClock),
        (sh("exec tail /dev/zero").memory(64 << 20), LimitKind::Memory),
        (sh("while :; do :; done").cpu_time(Duration::from_secs(1)), LimitKind::CpuTime),
        (sh("yes").output(100_000), LimitKind::Output),
        (sh("exec head -c 1000000 /dev/zero >big").file_size(100_000), LimitKind::FileSize),
        (sh("head -c 2000000 /dev/zero >/tmp/big; sleep 600").disk(1 << 20), LimitKind::Disk),
        (sh("while :; do sleep 600 & done").processes(20), LimitKind::Processes),
    ];
    for (job, limit) in cases {
        let exit = here.run(&job).await;
        assert_eq!(exit.limit, Some(limit), "{job}: {exit:?}");
    }
    // The sandbox's own processes do not count.
    let alone = here.run(&Job::new(["sleep", "0.5"]).processes(1)).await;
    assert!(alone.success(), "{alone:?}");
    assert_eq!(here.run(&sh("kill -SEGV $$")).await.ended, Ended::Signal(11));
    assert_eq!(here.run(&sh("exit 5")).await.ended, Ended::Status(5));
}

#[tokio::test]
async fn nothing_outlives_it() {
    let Some(here) = Here::new().await else { return };
    // The number is one within; by the time it lasts, it is told from outside.
    let exit = here.run(&sh("cd / && env -i setsid sleep 98.6543 >/dev/null 2>&1 & sleep 0.1")).await;
    assert!(exit.success(), "{exit:?}");
    let left = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let about = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        about.windows(7).any(|part| part == b"98.6543") && pid.is_some_and(alive)
    });
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_sandbox_that_is_missing_is_said_to_be_and_never_left_out() {
    let root = tempfile::tempdir().unwrap();
    let local = LocalProcess::new().folder(root.path());
    let touched = root.path().join("touched");
    let job = Job::new(["touch", touched.to_str().unwrap()]);
    // Missing, and one that cannot make a sandbox.
    for (program, expected) in
        [("no-such-bwrap", "apt-get install bubblewrap"), ("/bin/false", "user namespaces")]
    {
        let launcher = Bubblewrap::on(local.clone()).program(program);
        let gave = launcher.launch(&JobId::new("sandbox", RunId(1), 0), &job, &Watch::default()).await;
        assert!(matches!(&gave, Err(LaunchError::Setup(why)) if why.contains(expected)), "{gave:?}");
    }
    assert!(!touched.exists());
}
