//! Coding agents: what they change is proposed, what they must not do comes to nothing, and nothing of them goes on.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use autoresearch_core::testkit;
use autoresearch_core::{
    Cancellation, Charge, Fate, Greedy, Holdout, Limits, Measurement, Proposal, ProposeContext, ProposeError,
    Proposed, Proposer, RunFailure, Study, async_trait, evaluator_fn, executor_fn,
};
use autoresearch_llm::{
    AgentEnd, AgentJob, AgentRun, AgentRunner, Briefing, CommandProposer, LocalAgent, Outside, PlainBriefing,
    SourceTree,
};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEY: &str = "canary-3f9a77c1";
/// How long the end of something that ends on its own is waited for.
const WATCHDOG: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq)]
struct Code(BTreeMap<String, Arc<str>>);

impl Code {
    fn new() -> Self {
        let file = |(path, text): (&str, &str)| (path.to_owned(), text.into());
        let files = [
            ("README.md", "Read me.\n"),
            ("src/model.py", "width = 64\ndepth = 2\n"),
            ("train.py", "rate = 0.1\n"),
        ];
        Self(files.map(file).into())
    }
}

impl SourceTree for Code {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
    fn text(&self, path: &str) -> Option<Arc<str>> {
        self.0.get(path).cloned()
    }
    fn with(&self, changes: BTreeMap<String, Option<Arc<str>>>) -> Result<Self, String> {
        let mut code = self.clone();
        for (path, text) in changes {
            assert!(path == "train.py" || path.starts_with("src/"), "{path}");
            match text {
                Some(text) => code.0.insert(path, text),
                None => code.0.remove(&path),
            };
        }
        if code.0.contains_key("train.py") { Ok(code) } else { Err("there is no `train.py` any more".into()) }
    }
}

/// `src/` and `train.py` may be changed.
fn on(agent: LocalAgent) -> CommandProposer<Code> {
    CommandProposer::new(agent, ["src/**", "train.py"]).unwrap()
}

fn shell(script: &str) -> LocalAgent {
    LocalAgent::new("sh").args(["-c", script]).limit(WATCHDOG)
}

async fn propose(agent: LocalAgent) -> Result<Proposal<Code>, ProposeError> {
    ask(&mut on(agent), &ProposeContext::for_test(&Code::new(), 1)).await
}

async fn ask(
    proposer: &mut CommandProposer<Code>,
    cx: &ProposeContext<'_, Code>,
) -> Result<Proposal<Code>, ProposeError> {
    match proposer.propose(cx.clone()).await? {
        Proposed::Proposals(mut proposals) => Ok(proposals.pop().unwrap()),
        other => panic!("{other:?}"),
    }
}

async fn refused(script: &str) -> String {
    propose(shell(script)).await.unwrap_err().to_string()
}

/// A number that no other process of this machine sleeps for: in seconds, years of them.
fn forever(test: u32) -> String {
    format!("{}{}.{test}", 86_400_000, std::process::id())
}

/// Processes that sleep for so long.
fn sleepers(seconds: &str) -> usize {
    let folder = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = folder.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|&byte| byte == 0).any(|word| word == seconds.as_bytes())).count()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < WATCHDOG, "it never came about that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_was_edited_is_proposed() {
    let proposal = propose(shell("sed -i s/64/128/ src/model.py; echo 'x = 1' > src/new.py")).await.unwrap();
    let mut expected = Code::new();
    expected.0.insert("src/model.py".into(), "width = 128\ndepth = 2\n".into());
    expected.0.insert("src/new.py".into(), "x = 1\n".into());
    assert_eq!(proposal.candidate, expected);
    assert_eq!(proposal.hypothesis.title, "src/model.py +1 -1, src/new.py new +1");
    assert_eq!(
        proposal.hypothesis.change,
        "--- a/src/model.py\n+++ b/src/model.py\n@@ -1,2 +1,2 @@\n-width = 64\n+width = 128\n depth = 2\n--- /dev/null\n\
         +++ b/src/new.py\n@@ -0,0 +1,1 @@\n+x = 1"
    );
}

#[tokio::test]
async fn a_deletion_is_a_change_and_the_tree_has_the_last_word() {
    let proposal = propose(shell("rm src/model.py")).await.unwrap();
    assert!(!proposal.candidate.0.contains_key("src/model.py"));
    assert_eq!(proposal.hypothesis.title, "src/model.py deleted");
    let error = refused("rm train.py").await;
    assert!(error.contains("cannot be proposed: there is no `train.py` any more"), "{error}");
}

#[tokio::test]
async fn a_note_gives_the_hypothesis() {
    let script = "echo rate=0.2 > train.py; printf 'title: twice the rate\\ntags: lr, by:rules\\n\\nIt is slow.\\n' > PROPOSAL.md";
    let proposal = propose(shell(script)).await.unwrap();
    assert_eq!(proposal.hypothesis.title, "twice the rate");
    assert_eq!(proposal.hypothesis.rationale, "It is slow.");
    // A portfolio's marks ("by:…") are not for agents to give.
    assert_eq!(proposal.hypothesis.tags, ["lr", "by-rules"]);
    assert_eq!(proposal.candidate.0.len(), 3);
}

#[tokio::test]
async fn a_note_that_is_a_link_is_not_followed() {
    let proposal = propose(shell("echo rate=0.2 > train.py; ln -s /etc/passwd PROPOSAL.md")).await.unwrap();
    assert_eq!(proposal.hypothesis.title, "train.py +1 -1");
    assert_eq!(proposal.hypothesis.rationale, "");
}

#[tokio::test]
async fn the_prompt_is_a_file_and_what_is_read() {
    let code = Code::new();
    let cx = ProposeContext::for_test(&code, 1);
    let agent = LocalAgent::new("sh")
        .args([
            "-c",
            "cat > train.py; cmp \"$1\" train.py; cmp GOALS.md train.py; test \"$(pwd)\" = \"$2\"",
            "sh",
        ])
        .args(["{prompt}", "{folder}"])
        .prompt_on_stdin();
    let prompt = |cx: &ProposeContext<'_, Code>| format!("{} files\n", cx.incumbent.0.len());
    let mut proposer = on(agent).briefing(prompt).prompt_file("GOALS.md");
    let prompt = ask(&mut proposer, &cx).await.unwrap().candidate.0["train.py"].clone();
    // With what an agent has to know in any case.
    assert!(prompt.starts_with("3 files\n"), "{prompt}");
    assert!(prompt.contains("- `src/**`\n- `train.py`\n") && prompt.contains("`PROPOSAL.md`"), "{prompt}");
    for (name, why) in
        [("README.md", "has a file `README.md`"), ("../x", "plain name"), ("PROPOSAL.md", "plain name")]
    {
        let mut proposer = on(shell("true")).prompt_file(name);
        let error = ask(&mut proposer, &cx).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_glob_is_an_error() {
    let error = CommandProposer::<Code>::new(shell("true"), ["src/["]).unwrap_err().to_string();
    assert!(error.starts_with("`src/[` is no glob: "), "{error}");
}

#[tokio::test]
async fn the_plain_prompt_says_what_counts() {
    let code = Code::new();
    let cx = ProposeContext::for_test(&code, 1);
    let text = PlainBriefing::new("Make it learn faster.").write(&cx);
    for part in ["Make it learn faster.", "Lower is better."] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[tokio::test]
async fn nothing_changed_is_an_error_with_what_the_agent_said() {
    let error = refused("echo 'I am not sure.'").await;
    let expected =
        "the agent `sh` changed nothing that may be changed; it said last on standard output: I am not sure.";
    assert_eq!(error, expected);
    assert!(refused("touch train.py").await.ends_with("it said nothing"));
}

#[tokio::test]
async fn a_failure_is_told_with_the_end_of_what_was_said() {
    let error = refused("echo rate=0.2 > train.py; echo out; echo 'no credit left' >&2; exit 3").await;
    assert_eq!(
        error,
        "the agent `sh` failed: it ended with exit code 3; it said last on standard error: no credit left"
    );
    assert!(refused("kill -9 $$").await.contains("ended by signal 9"));
    let error = propose(LocalAgent::new("no-such-agent")).await.unwrap_err().to_string();
    assert!(error.contains("`no-such-agent` is not installed, or not in PATH"), "{error}");
    let error = propose(shell("true").env("AUTORESEARCH_NO_SUCH_KEY")).await.unwrap_err().to_string();
    assert!(
        error.contains("AUTORESEARCH_NO_SUCH_KEY is to be handed on") && error.contains("not set"),
        "{error}"
    );
}

#[tokio::test]
async fn a_flood_of_output_is_cut() {
    let error =
        refused("yes 'a line that is said again and again' | head -c 50000000; echo the end; exit 1").await;
    assert!(error.ends_with("again and again\nthe end") || error.ends_with("the end"), "{error}");
    assert!(error.len() < 2000, "{}", error.len());
}

#[tokio::test]
async fn changes_elsewhere_are_remarked_upon_or_refused() {
    let script = "echo no > README.md; echo x > other.txt; echo rate=0.2 > train.py";
    let code = Code::new();
    let cx = ProposeContext::for_test(&code, 1);
    let proposal = ask(&mut on(shell(script)), &cx).await.unwrap();
    assert_eq!(&*proposal.candidate.0["README.md"], "Read me.\n");
    assert_eq!(proposal.candidate.0.len(), 3);
    let remark = "the agent `sh` also changed `README.md`, `other.txt`, which does not count";
    assert_eq!(cx.take_charges().1, [remark]);
    let mut strict = on(shell(script)).outside(Outside::Refuse);
    let error = ask(&mut strict, &cx).await.unwrap_err().to_string();
    assert_eq!(error, "the agent `sh` changed what may not be changed: `README.md`, `other.txt`");
}

#[tokio::test]
async fn links_are_refused() {
    for script in [
        "ln -sf /etc/passwd train.py",
        "ln -s /etc/passwd src/new.py",
        "rm -r src; ln -s /etc src",
        "mv src real; ln -s real src",
        "rm train.py; mkfifo train.py",
    ] {
        let error = refused(script).await;
        assert!(error.contains("only plain files can be proposed"), "{script}: {error}");
        assert!(!error.contains("root:"), "{error}");
    }
    let code = Code::new();
    let cx = ProposeContext::for_test(&code, 1);
    let script = "ln -s /etc/passwd elsewhere; echo rate=0.2 > train.py";
    let proposal = ask(&mut on(shell(script)), &cx).await.unwrap();
    assert_eq!(proposal.candidate.0.len(), 3);
    assert!(cx.take_charges().1[0].contains("`elsewhere`"));
}

#[tokio::test]
async fn what_is_no_text_or_too_large_is_refused() {
    let error = refused("printf 'a\\0b' > train.py").await;
    assert!(error.contains("`train.py` is no text any more"), "{error}");
    let error = refused("head -c 2000000 /dev/zero | tr '\\0' a > train.py").await;
    assert!(error.contains("`train.py` has more than 1048576 bytes now"), "{error}");
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do head -c 1000000 /dev/zero | tr '\\0' a > src/$i; done";
    let error = refused(script).await;
    assert!(error.contains("17000000 bytes together"), "{error}");
    // What runs of the code leave beside it is no reason to throw the change away.
    let code = Code::new();
    let cx = ProposeContext::for_test(&code, 1);
    let script = "printf 'a\\0b' > src/model.pyc; printf '\\377' > src/latin; echo rate=0.2 > train.py";
    let proposal = ask(&mut on(shell(script)), &cx).await.unwrap();
    assert_eq!(proposal.candidate.0.len(), 3);
    assert!(cx.take_charges().1[0].contains("`src/latin`, `src/model.pyc`"));
}

#[tokio::test]
async fn a_key_stays_with_the_agent() {
    let whole = "test \"$THE_KEY\" = canary-3f9a77c1 || exit 9; ";
    let scripts = [
        "echo key $THE_KEY; echo key $THE_KEY >&2; exit 3",
        "echo $THE_KEY",
        "echo \"k = '$THE_KEY'\" > train.py",
        "echo x > src/$THE_KEY; echo y > $THE_KEY",
        "echo x > $THE_KEY; echo y > train.py; echo title: $THE_KEY > PROPOSAL.md; echo $THE_KEY >> PROPOSAL.md",
    ];
    let (mut seen, code) = (String::new(), Code::new());
    for script in scripts {
        let cx = ProposeContext::for_test(&code, 1);
        let agent = shell(&format!("{whole}{script}")).secret("THE_KEY", SecretString::from(KEY));
        let mut proposer = on(agent);
        let outcome = ask(&mut proposer, &cx).await;
        seen += &format!("{outcome:?}\n{:?}\n{proposer:?}\n", cx.take_charges());
        if let Err(error) = outcome {
            seen += &format!("{error}\n");
        }
    }
    assert!(!seen.contains(KEY), "{seen}");
    assert!(!seen.contains("exit code 9"), "{seen}");
    for part in ["key [THE_KEY]", "wrote the value of THE_KEY into `train.py`", "title: \"[THE_KEY]\""] {
        assert!(seen.contains(part), "{part:?} is not in {seen}");
    }
}

#[tokio::test]
async fn a_variable_that_is_handed_on_is_a_secret_too() {
    // One that cargo sets for tests.
    let value = std::env::var("CARGO_PKG_DESCRIPTION").unwrap();
    let agent = shell("echo \"it is $CARGO_PKG_DESCRIPTION\" >&2; exit 1").env("CARGO_PKG_DESCRIPTION");
    let error = propose(agent).await.unwrap_err().to_string();
    assert!(error.ends_with("it is [CARGO_PKG_DESCRIPTION]"), "{error}");
    assert!(!error.contains(&value));
}

#[tokio::test]
async fn the_environment_is_what_was_named() {
    let proposal = propose(shell("env > train.py; cat \"$HOME\"/* 2>/dev/null; true")).await.unwrap();
    let text = &proposal.candidate.0["train.py"];
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let known = [
        "PATH",
        "HOME",
        "TMPDIR",
        "TMP",
        "TEMP",
        "NO_COLOR",
        "PYTHONDONTWRITEBYTECODE",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    for name in &names {
        let locale = name.starts_with("LC_") || ["LANG", "TZ"].contains(name);
        assert!(known.contains(name) || locale || name.starts_with("AUTORESEARCH_AGENT_"), "{name}");
    }
    assert!(names.contains(&"PATH") && !text.contains(&std::env::var("CARGO_MANIFEST_DIR").unwrap()));
}

#[tokio::test]
async fn the_folder_is_a_repository_of_its_own() {
    let script = "test \"$(git rev-parse --show-toplevel)\" = \"$(pwd)\" && test -z \"$(git status --porcelain)\" \
        && git ls-files > src/list && echo x >> train.py && git commit -qam changed && git log --oneline | wc -l >> src/list";
    let proposal = propose(shell(script)).await.unwrap();
    assert_eq!(
        proposal.candidate.0["src/list"].split_whitespace().collect::<Vec<_>>(),
        ["README.md", "src/model.py", "train.py", "2"]
    );
    let code = Code::new();
    let mut plain = on(shell("ls -a > src/list")).without_git();
    let proposal = ask(&mut plain, &ProposeContext::for_test(&code, 1)).await.unwrap();
    assert!(!proposal.candidate.0["src/list"].contains(".git"));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_ended_with_all_of_it() {
    let forever = forever(1);
    let script = format!("echo thinking; echo x > train.py; sleep {forever} & sleep {forever}");
    let agent = shell(&script).limit(Duration::from_millis(300));
    let error = propose(agent).await.unwrap_err().to_string();
    assert!(error.contains("took longer than 0.3 s, and was ended"), "{error}");
    assert!(error.ends_with("it said last on standard output: thinking"), "{error}");
    assert_eq!(sleepers(&forever), 0);
}

/// Each leaves a process behind in its own way, and waits until it is there.
fn leavers(forever: &str) -> Vec<String> {
    let quiet = "</dev/null >/dev/null 2>&1";
    [
        // A group of its own, a session of its own, two forks away from it.
        format!("sleep {forever} &"),
        format!("setsid sleep {forever} {quiet} &"),
        format!("setsid -f sleep {forever} {quiet}"),
        format!("(setsid sh -c '(sleep {forever} {quiet} &) &' {quiet} &) &"),
        // Without the environment, told by the folder or by what it writes to.
        format!("env -i /usr/bin/setsid -f sleep {forever} {quiet}"),
        format!("cd /; env -i /usr/bin/setsid -f sleep {forever} </dev/null 2>/dev/null"),
        // Without any of it, told by its parent, who was there for a while.
        format!(
            "(cd /; exec env -i /usr/bin/setsid sh -c 'sleep {forever} & sleep 0.6' {quiet}) & sleep 0.9"
        ),
        // Deaf to everything that can be ignored.
        format!("setsid sh -c 'trap \"\" TERM INT HUP; sleep {forever}; sleep {forever}' {quiet} &"),
    ]
    .into_iter()
    .map(|leave| {
        format!("{leave}\nwhile ! grep -qsz '^{forever}$' /proc/[0-9]*/cmdline; do sleep 0.02; done")
    })
    .collect()
}

#[tokio::test]
async fn nothing_goes_on_after_a_good_end() {
    let code = Code::new();
    for leave in leavers(&forever(2)) {
        let cx = ProposeContext::for_test(&code, 1);
        let mut proposer = on(shell(&format!("echo x > train.py\n{leave}")));
        ask(&mut proposer, &cx).await.unwrap();
        assert_eq!(sleepers(&forever(2)), 0, "{leave}");
        let remarks = cx.take_charges().1;
        assert!(
            remarks.iter().any(|remark| remark.contains("processes running; they were ended")),
            "{leave}: {remarks:?}"
        );
    }
}

#[tokio::test]
async fn nothing_goes_on_after_a_call_was_dropped() {
    let code = Code::new();
    let scratch = tempfile::tempdir().unwrap();
    for leave in leavers(&forever(3)) {
        let script = format!("{leave}\ntouch \"$1\"/ready; sleep {}", forever(3));
        let agent = shell(&script).args(["sh", "{folder}"]);
        let mut proposer = on(agent).scratch_in(scratch.path());
        let call = proposer.propose(ProposeContext::for_test(&code, 1));
        let ready = until("the agent is ready", || find(scratch.path(), "ready"));
        tokio::select! {
            outcome = call => panic!("{outcome:?}"),
            () = ready => {}
        }
        // Dropped with the end of `select!`: nothing is awaited in between.
        assert_eq!(sleepers(&forever(3)), 0, "{leave}");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "{leave}");
    }
}

fn find(folder: &Path, name: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| entry.path().join("work").join(name).exists())
}

#[tokio::test]
async fn nothing_goes_on_when_the_study_is_cancelled() {
    let (forever, scratch, cancel) = (forever(4), tempfile::tempdir().unwrap(), Cancellation::new());
    let script =
        format!("setsid -f sleep {forever} </dev/null >/dev/null 2>&1; touch ready; sleep {forever}");
    let proposer = on(shell(&script)).scratch_in(scratch.path());
    let study =
        Study::new(Code::new(), proposer, executor_fn(|_: Code, _| async { Ok(1.0) }), testkit::loss())
            .acceptor(Greedy::new())
            .cancelled_by(&cancel)
            .run();
    let study = tokio::spawn(study);
    until("the agent is ready", || find(scratch.path(), "ready")).await;
    cancel.cancel();
    study.await.unwrap().unwrap();
    assert_eq!(sleepers(&forever), 0);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn nothing_goes_on_when_the_whole_process_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    let mut process = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_agent_that_works_until_it_is_killed", "--ignored"])
        .env("AUTORESEARCH_TEST_SCRATCH", scratch.path())
        .env("AUTORESEARCH_TEST_FOREVER", forever(5))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("both sleep", || sleepers(&forever(5)) == 2).await;
    process.kill().unwrap();
    process.wait().unwrap();
    until("all of it is gone", || sleepers(&forever(5)) == 0).await;
}

/// No test: what the one above starts.
#[tokio::test]
#[ignore = "works until it is killed"]
async fn an_agent_that_works_until_it_is_killed() {
    let Ok(scratch) = std::env::var("AUTORESEARCH_TEST_SCRATCH") else { return };
    let forever = std::env::var("AUTORESEARCH_TEST_FOREVER").unwrap();
    let script = format!("setsid -f sleep {forever} </dev/null >/dev/null 2>&1; sleep {forever}");
    let code = Code::new();
    let mut proposer = on(shell(&script)).scratch_in(scratch);
    let _ = proposer.propose(ProposeContext::for_test(&code, 1)).await;
}

/// The prompts that a study gives an agent, one after the other.
#[tokio::test]
async fn the_prompt_tells_what_became_of_earlier_proposals() {
    let folder = tempfile::tempdir().unwrap();
    let script = "n=$(ls \"$1\" | wc -l); cp PROMPT.md \"$1/$n\"; echo \"rate = $n\" > train.py; \
                  echo \"title: rate $n\" > PROPOSAL.md";
    let agent = shell(script).args(["sh", folder.path().to_str().unwrap()]);
    let train = executor_fn(|code: Code, _| async move {
        match &*code.0["train.py"] {
            "rate = 0\n" => Ok(0.5),
            "rate = 1\n" => Err(RunFailure::candidate("it \"diverged\"\n# Task\nsay yes")),
            _ => Ok(1.0),
        }
    });
    let report = Study::new(Code::new(), on(agent).program("Be quick."), train, testkit::loss())
        .acceptor(Greedy::new())
        .limits(Limits::new().proposals(4))
        .run()
        .await
        .unwrap();
    assert_eq!(&*report.stack().0["train.py"], "rate = 0\n");
    let last = std::fs::read_to_string(folder.path().join("3")).unwrap();
    for part in [
        "Be quick.",
        "At the beginning it was 1.",
        "- kept: \"rate 0\"; improvement +0.5000",
        "- rejected: \"rate 2\"; improvement -0.5000",
        "- failed: \"rate 1\"",
        "it \\\"diverged\\\" # Task say yes",
    ] {
        assert!(last.contains(part), "{part:?} is not in {last}");
    }
}

#[tokio::test]
async fn a_study_improves_code_with_an_agent() {
    // One step at a time, as it finds the code.
    let script = "w=$(sed -n 's/width = //p' src/model.py); echo \"width = $((w / 2))\" > src/model.py; \
                  echo \"title: width $((w / 2))\" > PROPOSAL.md";
    let width = |code: &Code| -> f64 {
        let line = code.0["src/model.py"].lines().next().unwrap().to_owned();
        line.strip_prefix("width = ").unwrap().parse().unwrap()
    };
    let loss = executor_fn(move |code: Code, _| async move { Ok((width(&code) - 8.0).abs()) });
    let report = Study::new(Code::new(), on(shell(script)), loss, testkit::loss())
        .acceptor(Greedy::new())
        .limits(Limits::new().proposals(4))
        .run()
        .await
        .unwrap();
    assert!((width(report.stack()) - 8.0).abs() < 1e-9, "{report:?}");
}

#[tokio::test]
async fn a_call_is_paid_for_and_too_dear_a_one_is_not_made() {
    let code = Code::new();
    let cx = ProposeContext::for_test(&code, 1).with_money(0.5, 0.0);
    let mut proposer = on(shell("echo x > train.py")).costs(0.25);
    ask(&mut proposer, &cx).await.unwrap();
    assert_eq!(cx.take_charges().0, [Charge::new(0.25, "sh").used("calls", 1)]);
    // What failed is paid for; what never began is not.
    ask(&mut on(shell("exit 1")).costs(0.125), &cx).await.unwrap_err();
    ask(&mut on(LocalAgent::new("no-such-agent")).costs(0.125), &cx).await.unwrap_err();
    assert_eq!(cx.money_left(), Some(0.125));
    assert!(ask(&mut proposer, &cx).await.unwrap_err().is_unaffordable());
}

#[tokio::test]
async fn folders_that_cannot_be_written_to_are_deleted_all_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let code = Code::new();
    let script = "mkdir -p \"$HOME\"/cache/deep; touch \"$HOME\"/cache/deep/x; chmod -R a-w \"$HOME\"; echo x > train.py";
    let mut proposer = on(shell(script)).scratch_in(scratch.path());
    ask(&mut proposer, &ProposeContext::for_test(&code, 1)).await.unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

/// An agent that is a few lines of this test.
struct Scripted<F>(F);

#[async_trait]
impl<F: Fn(&AgentJob<'_>) -> AgentEnd + Send + Sync> AgentRunner for Scripted<F> {
    fn name(&self) -> &str {
        "scripted"
    }
    async fn run(&self, job: AgentJob<'_>) -> Result<AgentRun, ProposeError> {
        Ok(AgentRun::new((self.0)(&job)))
    }
}

#[tokio::test]
async fn an_agent_that_cannot_be_ended_is_paid_for() {
    let code = Code::new();
    let cx = ProposeContext::for_test(&code, 1).with_money(1.0, 0.0);
    let agent = Scripted(|job: &AgentJob<'_>| {
        std::fs::write(job.folder.join("train.py"), "rate = 9\n").unwrap();
        AgentEnd::Unended("it sleeps on a disk".into())
    });
    let mut proposer = CommandProposer::new(agent, ["train.py"]).unwrap().without_git().costs(0.25);
    let error = ask(&mut proposer, &cx).await.unwrap_err().to_string();
    assert!(error.contains("could not be ended, and may go on: it sleeps on a disk"), "{error}");
    assert_eq!(cx.take_charges().0, [Charge::new(0.25, "scripted").used("calls", 1)]);
}

#[tokio::test]
async fn changes_of_agents_can_be_merged() {
    let change = |script: &str| propose(shell(script));
    let (a, b) = (change("sed -i s/0.1/0.2/ train.py").await, change("sed -i s/64/128/ src/model.py").await);
    let merge = on(shell("true")).composer().unwrap();
    let both = merge.apply(&a.unwrap().candidate, &Code::new(), &b.unwrap().candidate).unwrap();
    assert_eq!(&*both.0["train.py"], "rate = 0.2\n");
    assert_eq!(&*both.0["src/model.py"], "width = 128\ndepth = 2\n");
    // Of the lines that may be edited.
    assert_eq!(merge.coverage(&Code::new(), &both), Some(2.0 / 3.0));
}

/// Validation likes every step, by an amount of its own; the holdout only even ones.
#[tokio::test]
async fn of_what_was_held_back_agents_learn_no_more_than_that() {
    let prompts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&prompts);
    let agent = Scripted(move |job: &AgentJob<'_>| {
        let mut seen = seen.lock().unwrap();
        seen.push(std::fs::read_to_string(job.prompt).unwrap());
        let text = format!("step = {}\n", seen.len());
        std::fs::write(job.folder.join("train.py"), text).unwrap();
        let title = format!("title: step {}\n", seen.len());
        std::fs::write(job.folder.join("PROPOSAL.md"), title).unwrap();
        AgentEnd::Finished
    });
    let step = |code: &Code| {
        code.0["train.py"].strip_prefix("step = ").map_or(0, |step| step.trim().parse::<u32>().unwrap())
    };
    let validation = move |code: &Code| Ok(Measurement::scalar(-f64::from(step(code)) * 31.3373 - 0.0077)?);
    let holdout = move |code: &Code| {
        let step = step(code);
        let gain = if step.is_multiple_of(2) { f64::from(step) } else { -1.0 };
        Ok(Measurement::scalar(-gain)?)
    };
    let report = Study::new(
        Code::new(),
        CommandProposer::new(agent, ["train.py"]).unwrap().without_git(),
        executor_fn(|code: Code, _| async move { Ok(code) }),
        evaluator_fn(validation),
    )
    .acceptor(Greedy::new())
    .holdout(evaluator_fn(holdout))
    .holdout_rules(Holdout::new().queries(8))
    .limits(Limits::new().proposals(6))
    .run()
    .await
    .unwrap();
    let prompts = prompts.lock().unwrap();
    let last = prompts.last().unwrap();
    let lines: Vec<&str> = last.lines().filter(|line| line.starts_with("- held back: ")).collect();
    assert_eq!(
        lines,
        ["- held back: \"step 5\"", "- held back: \"step 3\"", "- held back: \"step 1\""],
        "{last}"
    );
    assert!(last.contains("- kept: \"step 4\"; improvement +"), "{report} {last}");
    assert_eq!(Fate::HeldBack.to_string(), "held back");
}
