"""Runs one job on a node of a Ray cluster: with limits, with an end for everything that it starts, and with a result.

Two processes. The outer one is what Ray starts and stops; it watches whether that is still there. The inner one, in a session of
its own so that nothing sent to the outer one's group reaches it, starts the command, keeps its limits and adopts whatever loses
its parents. Each ends the tree below it when the other is gone. Python 3.7 or later on Linux, and nothing else.
"""
import base64
import ctypes
import fcntl
import glob
import hashlib
import io
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import zipfile

SPEC = "AUTORESEARCH_SPEC"
MARK = b"\x01autoresearch-ray "
SHOWN = 8192
# What lines have in them that are meant for the library, and the most bytes that are kept of those, of one and of all.
OWN = b"\x01autoresearch-"
OWN_LINE, OWN_ALL = 4096, 256 << 10
# The most files that are told to be missing.
TOLD = 50
TICK = 0.1
# How long the launch's folder is looked for.
LATE = 10.0
PREFIX = "autoresearch-ray-"
# The machine's own, and what Ray says about where the job is and which devices are its own.
KEPT = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "RAY_ADDRESS", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS", "ASCEND_RT_VISIBLE_DEVICES", "NEURON_RT_VISIBLE_CORES"]


class Refused(Exception):
    """The job cannot be started here, and why."""


def read_spec(stopped):
    """What is to be done. Network storage may show it late; what was taken back is told to stop meanwhile."""
    text = os.environ.pop(SPEC, "")
    if text:
        return json.loads(base64.b64decode(text))
    path, began = os.environ.pop(SPEC + "_AT", "spec.json"), time.monotonic()
    while True:
        try:
            with open(path, "rb") as file:
                return json.load(file)
        except FileNotFoundError:
            if not stopped and time.monotonic() - began < LATE:
                time.sleep(0.05)
                continue
            print("autoresearch: %s is not there: the launch was taken back, or the folder is not shared with %s"
                  % (path, socket.gethostname()), flush=True)
            sys.exit(96)


def become_subreaper():
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def processes():
    """pid -> (parent, CPU seconds of its own, bytes in memory, whether it runs)."""
    ticks, page, found = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE"), {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        cpu = sum(int(fields[i]) for i in (11, 12)) / ticks
        found[int(name)] = (int(fields[1]), cpu, int(fields[21]) * page, fields[0] not in (b"Z", b"X"))
    return found


def below(root, found):
    """The processes below this one."""
    children = {}
    for pid, about in found.items():
        children.setdefault(about[0], []).append(pid)
    tree, todo = [], [root]
    while todo:
        for pid in children.get(todo.pop(), []):
            tree.append(pid)
            todo.append(pid)
    return tree


class Reaped:
    """What has been waited for."""

    def __init__(self):
        self.status, self.cpu, self.peak = {}, 0.0, 0

    def reap(self):
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.status[pid] = status
            self.cpu += used.ru_utime + used.ru_stime
            self.peak = max(self.peak, used.ru_maxrss * 1024)


def end_tree(reaped, first=None):
    """Kills everything below this process until nothing is left. Gives how many it was, but for `first`."""
    killed, until = set(), time.monotonic() + 20
    while True:
        reaped.reap()
        found = processes()
        tree = [pid for pid in below(os.getpid(), found) if found[pid][3]]
        if not tree or time.monotonic() > until:
            return len(killed - {first})
        for pid in tree:
            try:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            except OSError:
                pass
        time.sleep(0.005)


class Stream:
    """One stream of output: to its file, and the end of it kept."""

    def __init__(self, pipe, path, echo):
        self.pipe, self.kept, self.echo = pipe, b"", echo
        self.line, self.own, self.room = b"", [], OWN_ALL
        self.file = open(path, "wb", buffering=0) if path else None
        os.set_blocking(pipe, False)

    def read(self, left):
        """At most one piece. Gives its size, and whether it is more than is left; None at the end."""
        try:
            data = os.read(self.pipe, 65536)
        except BlockingIOError:
            return 0, False
        except OSError:
            data = b""
        if not data:
            os.close(self.pipe)
            self.pipe = None
            return None, False
        over = left is not None and len(data) > left
        if over:
            data = data[:left]
        if self.file:
            self.file.write(data)
        room = min(len(data), self.echo[0])
        self.echo[0] -= room
        if room:
            os.write(1, data[:room])
        self.kept = (self.kept + data)[-SHOWN:]
        self.note(data)
        return len(data), over

    def note(self, data):
        """Keeps the lines that are meant for the library."""
        whole, ends, rest = (self.line + data).rpartition(b"\n")
        self.line = rest[-OWN_LINE:]
        if OWN not in whole:
            return
        for line in whole.split(b"\n"):
            found = line.find(OWN)
            if found >= 0 and len(line) - found <= min(OWN_LINE, self.room):
                self.own.append(line[found:].decode("utf-8", "replace"))
                self.room -= len(line) - found

    def end(self):
        if self.pipe is not None:
            os.close(self.pipe)
        if self.file:
            self.file.close()
        text = self.kept
        while text and text[0] & 0xC0 == 0x80:  # a character that was cut in two
            text = text[1:]
        return text.decode("utf-8", "replace")


def put_files(spec, folder):
    here = os.path.join(spec["at"], "in") if spec.get("at") else "files"
    for name in spec["packed"]:
        to = os.path.join(folder, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copyfile(os.path.join(here, name), to)
    for name, data in spec["files"].items():
        to = os.path.join(folder, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with open(to, "wb") as file:
            file.write(base64.b64decode(data))
    for name, mode in spec["modes"].items():
        os.chmod(os.path.join(folder, name), mode)


def environment(spec, scratch):
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env["HOME"] = os.path.join(scratch, "home")
    env["TMPDIR"] = os.path.join(scratch, "tmp")
    env.update(spec["env"])
    return env


def limits_of(limits):
    wanted = []
    if limits.get("cpu_time"):
        seconds = int(-(-limits["cpu_time"] // 1))
        wanted.append((resource.RLIMIT_CPU, seconds, seconds + 1))
    if limits.get("file_size"):
        wanted.append((resource.RLIMIT_FSIZE, limits["file_size"], limits["file_size"]))
    if limits.get("address_space"):
        wanted.append((resource.RLIMIT_AS, limits["address_space"], limits["address_space"]))
    return wanted


def start(spec, folder, scratch, out, err):
    wanted = limits_of(spec["limits"])

    def before():
        # What this process ignores, or takes note of, is the command's to decide on.
        for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(which, signal.SIG_DFL)
        for which, soft, hard in wanted:
            resource.setrlimit(which, (soft, hard))

    env = environment(spec, scratch)
    program = spec["command"][0]
    path = os.path.join(folder, program) if "/" in program else shutil.which(program, path=env.get("PATH"))
    if path is None:
        raise Refused("the program `%s` is not installed on %s, or not in PATH (%s); install it or name it by its path"
                      % (program, socket.gethostname(), env.get("PATH", "")))
    try:
        return subprocess.Popen(spec["command"], executable=path, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=err, start_new_session=True, preexec_fn=before)
    except OSError as why:
        raise Refused("the program %s cannot be started on %s: %s" % (program, socket.gethostname(), why.strerror))
    except subprocess.SubprocessError:
        raise Refused("a limit of the job cannot be set on %s: a lower one is in force there" % socket.gethostname())


def run(spec, scratch, control):
    """In the inner process: runs the command to its end. Gives the record, or None when it was told to stop."""
    folder = spec["folder"] or os.path.join(scratch, "job")
    if spec["folder"] and not os.path.isdir(folder):
        raise Refused("the folder %s is not there on %s" % (folder, socket.gethostname()))
    for name in ("home", "tmp", "job"):
        os.mkdir(os.path.join(scratch, name))
    try:
        put_files(spec, folder)
    except OSError as why:
        raise Refused("cannot put the job's files into %s on %s: %s" % (folder, socket.gethostname(), why))
    out_read, out = os.pipe()
    err_read, err = os.pipe()
    began, reaped, limits = time.monotonic(), Reaped(), spec["limits"]
    child = start(spec, folder, scratch, out, err)
    os.close(out)
    os.close(err)
    echo, at = [spec["echo"]], spec.get("at")
    paths = [os.path.join(at, name) if at else None for name in ("stdout", "stderr")]
    streams = [Stream(out_read, paths[0], echo), Stream(err_read, paths[1], echo)]
    limit, peak, looked, written = None, 0, 0.0, 0

    def drain(wait):
        nonlocal written, limit
        pipes = {s.pipe: s for s in streams if s.pipe is not None}
        ready = select.select([control] + list(pipes), [], [], wait)[0]
        for pipe in ready:
            if pipe in pipes:
                left = None if limits.get("output") is None else limits["output"] - written
                size, over = pipes[pipe].read(left)
                written += size or 0
                limit = limit or ("output" if over else None)
        return control in ready, any(pipe in pipes for pipe in ready)

    while child.pid not in reaped.status and limit is None:
        stop, _ = drain(min(TICK, 0.01 + (time.monotonic() - began) / 20))
        if stop:
            end_tree(reaped)
            return None
        reaped.reap()
        now = time.monotonic()
        if limits.get("wall_clock") and now - began > limits["wall_clock"]:
            limit = "wall_clock"
        elif now - looked > TICK and child.pid not in reaped.status:
            looked, found = now, processes()
            tree = below(os.getpid(), found)
            memory = sum(found[pid][2] for pid in tree)
            peak = max(peak, memory)
            if limits.get("memory") and memory > limits["memory"]:
                limit = "memory"
            elif limits.get("cpu_time") and reaped.cpu + sum(found[pid][1] for pid in tree) > limits["cpu_time"]:
                limit = "cpu_time"
    wall = time.monotonic() - began
    left_behind = end_tree(reaped, child.pid)
    while limit != "output" and drain(0)[1]:
        pass
    status = reaped.status.get(child.pid, 9)
    child.returncode = 0  # it has been waited for
    ended = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"status": os.WEXITSTATUS(status)}
    if limit is None and ended == {"signal": int(signal.SIGXFSZ)}:
        limit = "file_size"
    if limits.get("cpu_time") and limit is None and ended.get("signal") in (int(signal.SIGXCPU), int(signal.SIGKILL)):
        if reaped.cpu >= limits["cpu_time"] - 0.5:
            limit = "cpu_time"
    peak = max(peak, reaped.peak)
    if limit is None and limits.get("memory") and peak > limits["memory"] and ended != {"status": 0}:
        limit = "memory"
    record = {"ended": ended, "limit": limit, "wall_seconds": wall, "cpu_seconds": reaped.cpu, "peak_memory": peak,
              "stdout": streams[0].end(), "stderr": streams[1].end(), "place": socket.gethostname(),
              "left_behind": left_behind, "files": [], "own": [] if at else streams[0].own}
    return record, folder


def matching(spec, folder, missed):
    """The files to collect: plain ones that match. Links are neither collected nor followed. What cannot be had is `missed`."""
    patterns = [re.compile(p.encode("utf-8"), re.DOTALL) for p in spec["collect"]]
    names, todo = [], [b""] if patterns else []
    root = os.fsencode(folder)
    while todo:
        where = todo.pop()
        try:
            entries = list(os.scandir(os.path.join(root, where)))
        except PermissionError:
            continue  # a job that has locked a folder does not want it collected
        except OSError as why:
            missed.append("%s: %s" % (where.decode("utf-8", "replace"), why.strerror))
            continue
        for entry in entries:
            name = os.path.join(where, entry.name)
            if entry.is_dir(follow_symlinks=False):
                todo.append(name)
            elif entry.is_file(follow_symlinks=False) and any(p.fullmatch(name) for p in patterns):
                try:
                    names.append(name.decode("utf-8"))
                except UnicodeDecodeError:
                    missed.append("%s: its name is no UTF-8" % name.decode("utf-8", "replace"))
    return sorted(names)


def tell(spec, record, folder=None):
    """Writes the record and the files: to the shared folder in one step, or to the log."""
    record["launch"] = spec["launch"]
    at, names, missed = spec.get("at"), [], []
    size, most = 0, spec["limits"].get("collected")
    for name in matching(spec, folder, missed) if folder else []:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                more = os.fstat(file.fileno()).st_size
            if most is not None and size + more > most:
                missed.append("%s: its %d bytes are more than may be collected" % (name, more))
                continue
            size += more
            names.append(name)
        except OSError as why:
            missed.append("%s: %s" % (name, why.strerror))
    if not at and size > spec["returned"]:
        record["too_much"], names = size, []
    record["files"] = names
    record["not_collected"] = missed[:TOLD] + (["and %d more" % (len(missed) - TOLD)] if len(missed) > TOLD else [])
    half = os.path.join(at, "half-" + spec["launch"]) if at else io.BytesIO()
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("exit.json", json.dumps(record))
        for name in names:
            with open(os.path.join(folder, name), "rb") as file, \
                    archive.open(zipfile.ZipInfo("out/" + name), "w", force_zip64=True) as to:
                shutil.copyfileobj(file, to, 1 << 20)
    if at:
        with open(half, "rb") as file:
            os.fsync(file.fileno())
        os.rename(half, os.path.join(at, "exit-%s.zip" % spec["launch"]))
        return
    data, launch = half.getvalue(), spec["launch"].encode()
    lines = [b"\n" + MARK + b"%s begin %d %s" % (launch, len(data), hashlib.sha256(data).hexdigest().encode())]
    text = base64.b64encode(data)
    lines += [text[i:i + 16384] for i in range(0, len(text), 16384)]
    lines += [MARK + launch + b" end\n"]
    text = b"\n".join(lines)
    while text:
        text = text[os.write(1, text):]


def code_of(record):
    """As a shell would say it."""
    if record.get("limit"):
        return 124
    ended = record["ended"]
    return ended["status"] if "status" in ended else 128 + ended["signal"]


def inner(spec, scratch, control):
    os.setsid()
    become_subreaper()
    for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(which, signal.SIG_IGN)  # the outer one says when
    try:
        done = run(spec, scratch, control)
        if done is None:
            return 95
        record, folder = done
        tell(spec, record, folder)
        return code_of(record)
    except Refused as why:
        end_tree(Reaped())
        tell(spec, {"ended": {"status": 126}, "wall_seconds": 0.0, "refused": str(why)})
        return 126


def sweep(base):
    """What launches have left that are gone with their machine or container."""
    for folder in glob.glob(os.path.join(glob.escape(base), PREFIX + "*")):
        try:
            about = os.lstat(folder)
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
                continue
            lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
        except OSError:
            pass


def own_folder(base):
    """A new folder, and the lock that says that somebody is in it."""
    while True:
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=base)
        lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Somebody else's sweep may have been faster than the lock.
        if os.fstat(lock).st_nlink:
            return folder, lock
        os.close(lock)


def main():
    parent = os.getppid()
    stopped = []
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: stopped.append(1))
    spec = read_spec(stopped)
    become_subreaper()
    base = os.path.realpath(tempfile.gettempdir())
    sweep(base)
    scratch, lock = own_folder(base)
    control, hold = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(hold)
        code = 94
        try:
            code = inner(spec, scratch, control)
        except BaseException:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
            end_tree(Reaped())
        finally:
            os._exit(code)
    os.close(control)
    reaped = Reaped()
    while pid not in reaped.status:
        if hold is not None and (stopped or os.getppid() != parent):
            os.close(hold)  # the inner one sees the end of it, and ends
            hold = None
        time.sleep(0.02)
        reaped.reap()
    status = reaped.status[pid]
    # Whatever the inner one has not taken with it has been adopted by this one.
    end_tree(reaped)
    if os.WIFSIGNALED(status) and not stopped:
        tell(spec, {"ended": {"signal": os.WTERMSIG(status)}, "wall_seconds": 0.0, "place": socket.gethostname()})
    shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


main()
