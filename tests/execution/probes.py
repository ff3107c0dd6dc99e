"""Code of cells that inspect everything that a notebook can observe; lines with `#-` separate the cells."""

STREAMS = r"""
import sys
from IPython.display import clear_output, display, update_display
for number in range(3):
    print("out", number, flush=True)
    print("err", number, file=sys.stderr, flush=True)
#-
print("no end of line", end="")
print("\ron one line\rof many\x1b[31m red\x1b[0m \b")
print("𝄞 unicode → ünïcödé 👩‍🔬 עברית \u0000 \x07")
#-
for number in range(20_000):
    print("line", number, "x" * 50)
#-
"x" * 300_000
#-
display("first", display_id="known")
display("second")
handle = display({"a": 1}, display_id=True)
#-
update_display("changed", display_id="known")
handle.update({"b": 2})
display("again", display_id="known")
#-
print("gone")
display("gone too")
clear_output()
print("stays")
#-
print("stays until")
clear_output(wait=True)
#-
print("gone")
clear_output(wait=True)
print("this comes")
display("and this")
clear_output(wait=True)
#-
import base64
class Rich:
    def _repr_html_(self): return "<b>html</b>"
    def _repr_svg_(self): return "<svg/>"
    def _repr_latex_(self): return "$x$"
    def _repr_markdown_(self): return "*x*"
    def _repr_json_(self): return {"x": [1, None]}
    def _repr_javascript_(self): return "1"
    def _repr_png_(self): return base64.b64decode("iVBORw0KGgo="), {"width": 3}
    def _repr_jpeg_(self): return b"\xff\xd8"
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/vnd.own+json": {"y": 1}, "text/own": "own"}, {"application/vnd.own+json": {"z": 1}}
    def __repr__(self): return "<Rich>"
Rich()
#-
display(Rich(), include=["text/plain", "text/html"])
display({"text/plain": "raw", "text/html": "<i>raw</i>"}, raw=True, metadata={"m": 1})
#-
class Broken:
    def _repr_html_(self): raise ValueError("no html")
    def __repr__(self): return "<Broken>"
Broken()
#-
class Broken:
    def __repr__(self): raise ValueError("no repr")
Broken()
#-
1; 2
#-
3;
#-
None
#-
print(_, __, _1 if "_1" in dir() else None, len(Out), len(In))
#-
import threading
def speak(number):
    for step in range(3):
        print(f"thread {number} step {step}", flush=True)
for number in range(3):
    thread = threading.Thread(target=speak, args=[number])
    thread.start()
    thread.join()
#-
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as held:
    print("held")
print("held was", repr(held.getvalue()))
sys.stdout.write("written"), sys.stdout.writelines(["a", "b"])
#-
sys.displayhook(5)
#-
from IPython.display import HTML, IFrame, Image, JSON, Latex, Markdown, Math, SVG, Video, Audio, FileLink, Code, Pretty
display(HTML("<b>b</b>"), Markdown("*m*"), Latex("$l$"), Math("m"), JSON({"j": 1}), SVG("<svg/>"))
display(IFrame("about:blank", 3, 4), FileLink("none"), Code("x = 1"), Pretty("p"))
"""

ERRORS = r"""
def fail(number):
    return 1 / number
fail(0)
#-
try:
    fail(0)
except ZeroDivisionError as error:
    raise ValueError("with a cause") from error
#-
try:
    fail(0)
except ZeroDivisionError:
    raise KeyError("with a context")
#-
x = = 1
#-
  x = 1
 y = 2
#-
class Own(Exception):
    def __str__(self): return "its own text é"
raise Own(1, 2)
#-
def leave():
    import sys
    sys.exit("because")
leave()
#-
raise SystemExit
#-
raise KeyboardInterrupt("by itself")
#-
import threading
thread = threading.Thread(target=fail, args=[0], name="broken")
thread.start(); thread.join()
#-
def deep(): deep()
try: deep()
except RecursionError as error: print(type(error), error)
#-
import warnings
warnings.warn("one")
warnings.warn("two", DeprecationWarning)
def old(): warnings.warn("three", DeprecationWarning, stacklevel=2)
old()
#-
assert 1 == 2, "they differ"
#-
exec("1/0")
#-
import json
json.loads("{")
#-
undefined
#-
raise BaseException("base")
#-
print("before"); 1/0; print("after")
#-
import nothing_of_this_name
#-
raise NotImplementedError
#-
class Chatty:
    def __del__(self): raise ValueError("unraisable")
del Chatty
c = type("C", (), {"__del__": lambda self: 1/0})()
del c
#-
%tb
#-
raise ValueError("x" * 10_000)
#-
raise ValueError("line one\nline two\t\x1b[31mred\x1b[0m")
"""

SHELL = r"""
!echo shell; echo wrong >&2
#-
!exit 3
#-
print(_exit_code)
lines = !printf 'a\nb\n'
lines, type(lines).__name__
#-
%%bash
echo bash; pwd | wc -l; tty; test -t 1 || echo no terminal
#-
%%bash
echo wrong >&2
#-
%%bash
exit 4
#-
%%sh --out caught
echo caught
#-
caught
#-
%%writefile script.py
import sys
print("script", sys.argv, __name__, __file__ == "script.py")
value = 42
#-
%run script.py one two
#-
value
#-
%run -n script.py
#-
%run nowhere.py
#-
%%capture captured
print("captured"); 1
#-
captured.stdout, captured.stderr, captured.outputs
#-
%env PROBE=1
#-
%env PROBE
#-
import os
os.environ["PROBE"]
#-
%set_env OTHER=2
#-
%mkdir below
#-
%cd below
#-
%pwd
#-
%cd ..
#-
import os; os.getcwd()
#-
%who
#-
%whos
#-
%who_ls
#-
%history -n 1-3
#-
%history -l 2
#-
%load_ext autoreload
#-
%autoreload 2
#-
%load_ext nothing_of_this_name
#-
%no_such_magic
#-
%%html
<b>bold</b>
#-
%%latex
$x$
#-
%%javascript
1
#-
%%markdown
*m*
#-
%%svg
<svg/>
#-
%%python
print("another python")
#-
%%script false
#-
%precision 3
#-
3.14159
#-
%xmode Minimal
#-
1/0
#-
%xmode Context
#-
%alias say echo said
#-
%say it
#-
%config InlineBackend
#-
len?
#-
%pinfo len
#-
%lsmagic
#-
%time sum(range(10))
#-
%%time
sum(range(10))
#-
%timeit -n 1 -r 1 1
#-
%%timeit -n 1 -r 1
1
#-
%prun sum(range(10))
#-
%matplotlib
#-
%matplotlib inline
import matplotlib.pyplot as plt
plt.plot([1, 2, 3])
#-
figure, axes = plt.subplots()
axes.bar(["a", "b"], [1, 2])
plt.show()
print("after the figure")
#-
figure
#-
plt.gcf().number, plt.get_backend(), plt.get_fignums()
#-
%config InlineBackend.figure_formats = ['svg', 'png']
import matplotlib; matplotlib.rcParams["svg.hashsalt"] = "salt"
plt.plot([1, 2]); plt.title("two formats"); plt.show()
#-
%pip --version
#-
%reset -f
#-
%who
#-
%logstart
"""

ASYNC = r"""
import asyncio, sys
await asyncio.sleep(0)
print("awaited")
await asyncio.gather(*[asyncio.sleep(0.01 * number, number) for number in range(3)])
#-
seen = []
async def tick():
    for number in range(5):
        seen.append(number)
        print("tick", number, flush=True)
        await asyncio.sleep(0.01)
    return "done"
task = asyncio.create_task(tick())
print("started")
#-
await task
#-
seen, task.done()
#-
later = []
asyncio.get_running_loop().call_soon(later.append, 1)
asyncio.get_running_loop().call_later(0.01, later.append, 2)
print(later)
#-
while len(later) < 2: await asyncio.sleep(0.01)
print(later)
#-
asyncio.run(asyncio.sleep(0))
#-
loop = asyncio.get_event_loop()
type(loop).__name__, loop.is_running(), loop.get_debug(), type(asyncio.get_event_loop_policy()).__name__
#-
loop.run_until_complete(asyncio.sleep(0))
#-
async def wrong(): raise ValueError("in a task")
await wrong()
#-
async for number in wrong(): pass
#-
import contextvars
variable = contextvars.ContextVar("variable", default="default")
variable.set("set")
#-
variable.get()
#-
async def read(): return variable.get()
await read(), await asyncio.create_task(read())
#-
process = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
await process.communicate()
#-
await asyncio.to_thread(print, "in a thread", flush=True)
#-
import concurrent.futures
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    print(list(pool.map(abs, [-1, -2])))
#-
%autoawait
#-
import tornado.ioloop
type(tornado.ioloop.IOLoop.current()).__name__, tornado.ioloop.IOLoop.current().asyncio_loop is asyncio.get_running_loop()
#-
[type(each).__name__ for each in asyncio.all_tasks() if each is asyncio.current_task()]
#-
for number in range(3):
    await asyncio.sleep(0)
    print(number)
#-
lambda: (yield)
#-
await asyncio.wait_for(asyncio.sleep(10), 0.01)
"""

# `Output` and `interact` are omitted: nbclient replies to them over the socket on which it waits for the end of
# the cell, which sometimes makes papermill, and every kernel with sockets, wait forever.
WIDGETS = r"""
import ipywidgets
slider = ipywidgets.IntSlider(value=3, description="a slider")
slider
#-
changes = []
slider.observe(changes.append, "value")
slider.value = 5
[(each.name, each.old, each.new) for each in changes]
#-
ipywidgets.HBox([ipywidgets.Text("text"), ipywidgets.Button(description="press"), ipywidgets.HTML("<b>b</b>")])
#-
from tqdm.auto import tqdm
bar = tqdm(total=3, desc="bar")
type(bar).__name__
#-
bar.close()
#-
from tqdm.autonotebook import tqdm as other
other.__name__
#-
ipywidgets.link((slider, "value"), (ipywidgets.IntText(), "value"))
slider.close()
slider.comm
#-
from comm import create_comm
comm = create_comm(target_name="nobody", data={"x": 1})
comm.send({"y": 2})
type(comm).__name__, type(comm.kernel).__name__
#-
comm.close()
#-
import anywidget, traitlets
class Own(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(1).tag(sync=True)
Own()
"""

INPUT = r"""
input("name?")
#-
import getpass
getpass.getpass()
#-
import sys
type(sys.stdin).__name__, sys.stdin.fileno(), sys.stdin.isatty(), sys.stdin.encoding
#-
import os, select
os.isatty(0), os.readlink("/proc/self/fd/0").split(":")[0], select.select([0], [], [], 0)[0]
#-
%debug
"""

DESCRIPTORS = r"""
import os, sys, time
os.write(1, b"written to descriptor 1\n"); os.write(2, b"written to descriptor 2\n")
time.sleep(0.5)  # a thread reads it; what it reads after the cell belongs to none
#-
import ctypes
libc = ctypes.CDLL(None)
libc.puts(b"by the C library"); libc.fflush(None)
time.sleep(0.5)
#-
import subprocess, sys
subprocess.run(["echo", "by a child"]); subprocess.run("echo by the shell >&2", shell=True)
code = subprocess.run([sys.executable, "-c", "print('by python')"]).returncode
time.sleep(0.5)
code
#-
code = os.system("echo by the system")
time.sleep(0.5)
code
#-
child = os.fork()
if child == 0:
    print("printed by a fork", file=sys.stderr, flush=True)
    os._exit(0)
os.waitpid(child, 0)[1]
#-
child = os.fork()
if child == 0:
    os.write(1, b"written by a fork\n")
    os._exit(7)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
time.sleep(0.5)
code
#-
import multiprocessing
def square(number): return number * number
with multiprocessing.get_context("fork").Pool(2) as pool: squares = pool.map(square, range(4))
squares
#-
import math
with multiprocessing.get_context("spawn").Pool(1) as pool: roots = pool.map(math.sqrt, [4, 9])
roots
#-
import concurrent.futures
with concurrent.futures.ProcessPoolExecutor(1) as pool: roots = list(pool.map(math.sqrt, [16]))
roots
#-
import joblib
joblib.Parallel(2)(joblib.delayed(math.sqrt)(each) for each in [1, 4])
#-
sys.__stdout__.write("by the first stdout\n"); sys.__stdout__.flush(); time.sleep(0.5)
#-
import time; time.sleep(1)
"""

STATE = r"""
import builtins, gc, locale, logging, os, random, resource, shutil, signal, stat, sys, tempfile, threading, time, warnings
print(len(sys.argv), os.path.basename(sys.argv[0]), [each for each in sys.argv[1:] if not each.endswith(".json")])
#-
print(sys.path, sys.path[0] == os.getcwd(), sys.executable, sys.prefix, sys.flags, sys.orig_argv[1:4])
#-
print(os.getcwd(), sorted(os.listdir()), tempfile.gettempdir())
#-
print(sorted(os.environ))
#-
print({name: value for name, value in sorted(os.environ.items())})
#-
print(oct(os.umask(0o22)))
#-
print(sorted(sys.modules))
#-
for each in warnings.filters: print(each)
print(warnings.showwarning, warnings.onceregistry)
#-
print(logging.root.handlers, logging.root.level, logging.lastResort, logging.raiseExceptions, logging.root.disabled)
for name, logger in sorted(logging.root.manager.loggerDict.items()):
    if name in {"IPKernelApp", "asyncio", "comm", "concurrent", "tornado", "traitlets"}: print(name, getattr(logger, "handlers", None), getattr(logger, "level", None), getattr(logger, "propagate", None))
#-
logging.getLogger("probe").warning("a warning"); logging.getLogger("probe").info("an info")
logging.basicConfig(level=logging.INFO)
logging.getLogger("probe").info("an info")
#-
print(locale.getlocale(), locale.getpreferredencoding(), sys.getfilesystemencoding(), sys.getdefaultencoding(), time.tzname)
#-
for number in sorted(signal.valid_signals()):
    print(number, getattr(signal.getsignal(number), "__qualname__", signal.getsignal(number)))
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getitimer(signal.ITIMER_REAL), signal.set_wakeup_fd(-1) >= 0)
#-
import collections
kinds = collections.Counter()
for name in os.listdir("/proc/self/fd"):
    try: target = os.readlink(f"/proc/self/fd/{name}")
    except OSError: continue
    kinds[target.split(":[")[0]] += 1
for each in sorted(kinds.items()): print(each)
#-
for number in range(3):
    print(number, os.isatty(number), stat.filemode(os.fstat(number).st_mode)[0], os.get_inheritable(number))
#-
print(sorted(each.name for each in threading.enumerate()), threading.current_thread() is threading.main_thread(), threading.current_thread().name)
print(threading.excepthook, threading.gettrace(), threading.stack_size())
#-
print(__name__, __doc__, sorted(name for name in dir() if not name.startswith("_i")), sorted(set(dir(builtins))))
#-
shell = get_ipython()
print(type(shell), type(shell).__mro__, type(shell.kernel), type(shell.kernel.parent), type(shell.parent))
print(sorted(shell.config), shell.config)
#-
for event, callbacks in sorted(shell.events.callbacks.items()): print(event, [getattr(each, "__qualname__", each) for each in callbacks])
print([type(each).__name__ for each in shell.input_transformers_post], [getattr(each, "__qualname__", each) for each in shell.ast_transformers])
#-
print(shell.history_manager.enabled, shell.history_manager.hist_file, shell.execution_count, shell.colors, shell.autocall, shell.autoawait, shell.loop_runner)
print(type(shell.display_pub), type(shell.displayhook), type(shell.display_formatter), shell.display_formatter.active_types)
print(shell.profile, os.path.basename(shell.ipython_dir), shell.user_global_ns is globals(), shell.user_module.__name__, sys.modules["__main__"] is shell.user_module)
#-
print(sorted(shell.magics_manager.magics["line"]), sorted(shell.magics_manager.magics["cell"]), shell.extension_manager.loaded)
#-
print({name: type(each) for name, each in sorted(shell.kernel.comm_manager.targets.items())}, shell.kernel.comm_manager.comms)
# the banner's tip is another one each time
print(shell.kernel.implementation, shell.kernel.language_info, shell.kernel.banner.splitlines()[:2] == shell.banner.splitlines()[:2])
#-
for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, sys.stdin, sys.__stdin__):
    print(type(stream), stream.encoding, stream.errors, stream.isatty(), stream.name if hasattr(stream, "name") else None, getattr(stream, "line_buffering", None), getattr(stream, "write_through", None), stream.mode if hasattr(stream, "mode") else None)
print(sys.stdout.fileno() > 2, sys.stderr.fileno() > 2, sys.stdout.writable(), sys.stdout.closed, hasattr(sys.stdout, "buffer"))
#-
print(sys.getrecursionlimit(), sys.excepthook, sys.displayhook, sys.unraisablehook, sys.breakpointhook, sys.gettrace(), sys.getprofile(), sys.getswitchinterval(), sys.dont_write_bytecode, sys.pycache_prefix)
#-
print(gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.get_debug(), gc.callbacks)
#-
print({name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT")})
#-
print(os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0), os.getpid() == os.getpgid(0), os.getpid() == os.getsid(0), os.getppid() > 1, os.getuid(), os.getgroups())
#-
print(shutil.get_terminal_size(), os.environ.get("COLUMNS"), os.environ.get("TERM"))
try: os.get_terminal_size()
except OSError as error: print(error)
#-
import multiprocessing, asyncio, faulthandler, decimal
print(multiprocessing.get_start_method(allow_none=True), multiprocessing.current_process().name, multiprocessing.parent_process(), faulthandler.is_enabled(), decimal.getcontext())
#-
print([getattr(each, "__qualname__", type(each)) for each in sys.meta_path], [getattr(each, "__qualname__", each) for each in sys.path_hooks], "" in sys.path_importer_cache)
#-
import ctypes
value = ctypes.c_int()
libc = ctypes.CDLL(None)
libc.prctl(2, ctypes.byref(value)); print("dies with its parent", value.value)
libc.prctl(37, ctypes.byref(value)); print("adopts orphans", value.value)
print(open("/proc/self/comm").read(), open("/proc/self/cmdline").read().split("\0")[1:3], open("/proc/self/oom_score_adj").read())
#-
print({line.split(":")[0]: line.split(":")[1].strip() for line in open("/proc/self/status") if line.split(":")[0] in {"NoNewPrivs", "Seccomp", "CapEff", "Groups", "Umask", "SigIgn", "SigBlk", "SigCgt", "Threads"}})
#-
import matplotlib, numpy, pandas
print(matplotlib.get_backend(), matplotlib.rcParams["figure.dpi"], matplotlib.rcParams["figure.figsize"], matplotlib.is_interactive(), matplotlib.get_configdir(), pandas.options.display.max_rows, numpy.get_printoptions(), numpy.geterr())
#-
import inspect
def probe(): return 1
print(inspect.getsource(probe), probe.__module__, probe.__code__.co_filename, inspect.getmodule(probe))
#-
import pickle
class Own: pass
print(pickle.loads(pickle.dumps(Own())).__class__ is Own, Own.__module__)
#-
import linecache, traceback
def where(): return traceback.format_stack()[-1]
print(where())
print([each.name for each in traceback.extract_stack()])
#-
import atexit, weakref
print(atexit._ncallbacks() > 0, time.get_clock_info("monotonic"))
#-
print(hash("same everywhere"), sys.hash_info.width, sys.flags.hash_randomization, id(None) > 0)
#-
import sqlite3
with sqlite3.connect("data.sqlite") as connection: print(connection.execute("select 1").fetchall())
#-
import site, sysconfig
print(site.ENABLE_USER_SITE, site.getsitepackages(), sysconfig.get_path("purelib"))
#-
print(os.path.expanduser("~"), os.ctermid(), os.cpu_count(), os.getenv("JPY_PARENT_PID") is not None)
#-
import socket
print(socket.getdefaulttimeout(), socket.gethostname() != "")
#-
print(get_ipython().kernel.get_parent()["header"]["msg_type"], sorted(get_ipython().kernel.get_parent()), sorted(get_ipython().kernel.get_parent()["header"]), get_ipython().kernel.get_parent()["metadata"], sorted(get_ipython().kernel.get_parent()["content"].items()))
#-
import ipykernel.kernelapp
app = ipykernel.kernelapp.IPKernelApp.instance()
print(type(app), app.name, app.initialized(), app.config, app.extra_args, app.log.level, app.log.handlers, app.parent_handle, app.interrupt)
#-
import runwidgets
runwidgets.record("metric", 1); runwidgets.progress(0.5, "half")
"""

CONNECTION = r"""
from ipykernel.connect import get_connection_info
print(sorted(get_connection_info(unpack=True)))
#-
%connect_info
"""

CHANCE = r"""
import random, uuid, os, secrets, tempfile
import numpy
print(random.random(), numpy.random.rand(), uuid.uuid4(), secrets.token_hex(4), os.urandom(4), numpy.random.default_rng().random())
print(tempfile.NamedTemporaryFile().name, tempfile.mkdtemp())
#-
random.seed(1); numpy.random.seed(1)
print(random.random(), numpy.random.rand(), numpy.random.default_rng(1).random())
"""

END = r"""
import atexit, os, threading, time
atexit.register(lambda: open("atexit.txt", "w").write("written at exit"))
held = open("unflushed.txt", "w")
held.write("never flushed")
#-
class Last:
    def __del__(self): open("deleted.txt", "w").write("written when deleted")
last = Last()
#-
def finish():
    time.sleep(1)
    with open("thread.txt", "w") as file: file.write("written by a thread that goes on")
threading.Thread(target=finish).start()
#-
import subprocess, weakref
weakref.finalize(last, open("finalized.txt", "w").write, "finalized")
#-
import tempfile
temporary = tempfile.TemporaryDirectory(dir=".", prefix="temporary-")
os.path.isdir(temporary.name)
#-
import multiprocessing.shared_memory
print("last cell", flush=True)
"""
