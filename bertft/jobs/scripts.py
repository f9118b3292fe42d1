"""Scripts that start a training, or the shards of a prediction, on many machines.

In: what is to run, and on how many machines. Out: the text of a script for Slurm, for torchrun by
hand, or for Ray. Each is short and meant to be read and changed; nothing here starts anything.

A training is one: its processes meet at the first machine. A prediction is many processes
that know nothing of each other: each answers its own shard, and goes on after a stop.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What is started: ``arguments`` of bertft, the verb first; ``processes`` on each machine."""

    arguments: tuple[str, ...]
    machines: int
    processes: int
    gpu: bool
    """Whether each process has a GPU of its own."""
    interface: str
    """The network that machines talk over, such as eth0; "" leaves it to the libraries."""
    port: int

    @property
    def verb(self) -> str:
        return self.arguments[0]

    @property
    def shards(self) -> int:
        return self.machines * self.processes

    @property
    def environment(self) -> dict[str, str]:
        names = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME") if self.interface else ()
        return dict.fromkeys(names, self.interface)

    @property
    def quoted(self) -> str:
        """The command for a shell, behind ``bertft``."""
        return shlex.join(self.arguments)


def script_of(kind: str, launch: Launch) -> str:
    """The script of a kind in SCRIPTS."""
    return SCRIPTS[kind, launch.verb](launch)


def _exports(launch: Launch) -> str:
    pairs = (f"{name}={shlex.quote(value)}" for name, value in launch.environment.items())
    return f"export {' '.join(pairs)}\n" if launch.environment else ""


def _counts(launch: Launch) -> str:
    """What torchrun is told on each machine."""
    return f"--nnodes {launch.machines} --nproc-per-node {launch.processes}"


def _batch(launch: Launch, *, tasks: dict[str, object], log: str) -> str:
    """The head of a script for sbatch."""
    lines = {"job-name": f"bertft-{launch.verb}", **tasks, "output": f"bertft-{launch.verb}-{log}"}
    flags = "".join(f"#SBATCH --{name}={value}\n" for name, value in lines.items())
    return f"#!/bin/bash\n{flags}# Start: sbatch FILE, with the environment of bertft active.\n"


def _slurm_train(launch: Launch) -> str:
    tasks: dict[str, object] = {"nodes": launch.machines, "ntasks-per-node": 1}
    tasks["cpus-per-task"] = launch.processes
    tasks |= {"gpus-per-node": launch.processes} if launch.gpu else {}
    return (
        _batch(launch, tasks=tasks, log="%j.log")
        + "set -euo pipefail\n"
        + _exports(launch)
        + 'mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")\n'
        + 'first="${machines[0]}"\n'
        + f"srun torchrun {_counts(launch)} --rdzv-backend c10d \\\n"
        + f'  --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first":{launch.port} \\\n'
        + f"  -m bertft {launch.quoted}\n"
    )


def _slurm_predict(launch: Launch) -> str:
    tasks: dict[str, object] = {"array": f"1-{launch.shards}", "cpus-per-task": 1}
    tasks |= {"gpus": 1} if launch.gpu else {}
    return (
        _batch(launch, tasks=tasks, log="%A-%a.log")
        + "set -euo pipefail\n"
        + 'export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"\n'
        + f'srun bertft {launch.quoted} --shard "$SLURM_ARRAY_TASK_ID/{launch.shards}"\n'
    )


def _by_hand(launch: Launch, *, start: str) -> str:
    """The head of a script that is started on each machine with its number."""
    count = launch.machines
    return (
        "#!/bin/bash\n"
        + f"# Start it on each of {count} machines with its number: {start}bash FILE 1\n"
        + "set -euo pipefail\n"
        + f'machine="${{1:?the number of this machine is missing, 1 to {count}: bash FILE 1}}"\n'
    )


def _torchrun_train(launch: Launch) -> str:
    return (
        _by_hand(launch, start="FIRST=ADDRESS ")
        + ': "${FIRST:?the address of machine 1 is missing: FIRST=ADDRESS bash FILE 1}"\n'
        + _exports(launch)
        + f"exec torchrun {_counts(launch)} --node-rank $((machine - 1)) \\\n"
        + f'  --master-addr "$FIRST" --master-port {launch.port} \\\n'
        + f"  -m bertft {launch.quoted}\n"
    )


def _torchrun_predict(launch: Launch) -> str:
    count = launch.processes
    device = "CUDA_VISIBLE_DEVICES=$((process - 1)) " if launch.gpu else ""
    return (
        _by_hand(launch, start="")
        + 'export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"\n'
        + "processes=()\n"
        + f"for process in $(seq 1 {count}); do\n"
        + f"  shard=$(((machine - 1) * {count} + process))\n"
        + f'  {device}bertft {launch.quoted} --shard "$shard/{launch.shards}" &\n'
        + "  processes+=($!)\n"
        + "done\n"
        + "code=0\n"
        + 'for process in "${processes[@]}"; do\n'
        + '  wait "$process" || code=$?\n'
        + "done\n"
        + 'exit "$code"\n'
    )


def _ray_head(launch: Launch, what: str, *, processes: int) -> str:
    """The first lines of a script of Ray, with all that users gave; ``processes`` of a task."""
    needed = {"num_cpus": processes, "num_gpus": processes if launch.gpu else 0}
    return (
        f'"""{what}\n\n'
        + "Start: python FILE on a machine of the cluster, or ray job submit -- python FILE\n"
        + '"""\n\n'
        + "import os\nimport subprocess\nimport sys\n\nimport ray\n\n"
        + f"COMMAND = {list(launch.arguments)}\n"
        + f"ENVIRONMENT = {launch.environment}\n"
        + f"NEEDED = {needed}\n"
        + "FOLDER = os.getcwd()  # the same one on every machine\n"
    )


def _ray_predict(launch: Launch) -> str:
    head = _ray_head(launch, "The shards of a prediction, as tasks of Ray.", processes=1)
    return f"{head}SHARDS = {launch.shards}\n" + RAY_PREDICT


def _ray_train(launch: Launch) -> str:
    what = "A training over the machines of a Ray cluster."
    head = _ray_head(launch, what, processes=launch.processes)
    return (
        f"{head}MACHINES = {launch.machines}\n"
        + f"PROCESSES = {launch.processes}\n"
        + f"PORT = {launch.port}\n"
        + RAY_TRAIN
    )


RAY_PREDICT = """

@ray.remote(**NEEDED, max_retries=3)
def answer(shard: int) -> None:
    command = [sys.executable, "-m", "bertft", *COMMAND, "--shard", f"{shard}/{SHARDS}"]
    subprocess.run(command, env=os.environ | ENVIRONMENT, cwd=FOLDER, check=True)


ray.init()
ray.get([answer.remote(shard) for shard in range(1, SHARDS + 1)])
"""
RAY_TRAIN = """

@ray.remote(**NEEDED)
def address() -> str:
    return ray.util.get_node_ip_address()


@ray.remote(**NEEDED)
def train(number: int, first: str) -> None:
    flags = [
        f"--nnodes={MACHINES}",
        f"--nproc-per-node={PROCESSES}",
        f"--node-rank={number}",
        f"--master-addr={first}",
        f"--master-port={PORT}",
    ]
    command = [sys.executable, "-m", "torch.distributed.run", *flags, "-m", "bertft", *COMMAND]
    subprocess.run(command, env=os.environ | ENVIRONMENT, cwd=FOLDER, check=True)


ray.init()
machine = {"CPU": NEEDED["num_cpus"], "GPU": NEEDED["num_gpus"]}
group = ray.util.placement_group([machine] * MACHINES, strategy="STRICT_SPREAD")
ray.get(group.ready())
places = [
    ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(group, number)
    for number in range(MACHINES)
]
first = ray.get(address.options(scheduling_strategy=places[0]).remote())
ray.get(
    [
        train.options(scheduling_strategy=place).remote(number, first)
        for number, place in enumerate(places)
    ]
)
"""
SCRIPTS: dict[tuple[str, str], Callable[[Launch], str]] = {
    ("slurm", "train"): _slurm_train,
    ("slurm", "predict"): _slurm_predict,
    ("torchrun", "train"): _torchrun_train,
    ("torchrun", "predict"): _torchrun_predict,
    ("ray", "train"): _ray_train,
    ("ray", "predict"): _ray_predict,
}
KINDS = tuple(dict.fromkeys(kind for kind, _ in SCRIPTS))
VERBS = tuple(dict.fromkeys(verb for _, verb in SCRIPTS))
