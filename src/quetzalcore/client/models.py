"""What goes over the wire; written by ``make client``."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict


class ArtifactView(TypedDict, closed=True):
    """
    A file that a job made.
    """

    name: str
    media_type: str
    size: int
    sha256: str


class BoundsView(TypedDict, closed=True):
    """
    The fewest and the most members.
    """

    least: int
    most: int


class CacheStats(TypedDict):
    """
    How often an answer was there already.
    """

    status: Literal["ok", "degraded", "away"]
    hit_rate: float


class Caller(TypedDict, closed=True):
    """
    Who the caller is.
    """

    user: str
    tenant: str
    role: Literal["admin", "analyst", "client"]
    scope: str
    csrf_token: str | None


class Component(TypedDict):
    """
    One part of the platform.
    """

    status: Literal["ok", "degraded", "away"]


class Components(TypedDict, closed=True):
    """
    The parts of the platform.
    """

    ledger: Component
    artifacts: Component
    nodes: Component
    cache_stats: CacheStats


Channel: TypeAlias = str


class DepthConfig(TypedDict, closed=True):
    """
    Windows and structural indices of the depth estimates.
    """

    window_cells: NotRequired[int]
    structural_indices: NotRequired[list[float]]


class DespikeConfig(TypedDict, closed=True):
    """
    Spikes are fourth differences beyond ``threshold`` robust standard deviations.
    """

    threshold: NotRequired[float]


Location: TypeAlias = tuple[float, float]


class DiurnalConfig(TypedDict, closed=True):
    """
    The base station's datum; None means: its median.
    """

    datum_nt: NotRequired[float | None]


class DrainRequest(TypedDict, closed=True):
    """
    Whether a node takes new work.
    """

    draining: NotRequired[bool]


class ErrorView(TypedDict, closed=True):
    """
    Why a job or an attempt failed.
    """

    code: str
    title: str
    detail: str
    hint: str


class EventView(TypedDict, closed=True):
    """
    What a watcher is told: the data of an SSE message, and a WebSocket's event message.
    """

    type: Literal["progress", "log", "state", "result"]
    job_id: str
    sequence: int
    at: str
    data: dict[str, Any]


class FieldConfig(TypedDict, closed=True):
    """
    Direction of the main field from true north; default: IGRF at the survey's centre and date.
    """

    inclination_deg: NotRequired[float | None]
    declination_deg: NotRequired[float | None]
    intensity_nt: NotRequired[float | None]
    date: NotRequired[str | None]


class GradientConfig(TypedDict, closed=True):
    """
    Measured gradient channels, by the file's own names; readings to starboard positive, nT/m.
    """

    transverse: NotRequired[str | None]


class GridConfig(TypedDict, closed=True):
    """
    How lines become a grid.
    """

    method: NotRequired[Literal["minimum-curvature", "equivalent-sources"]]
    cell_size_m: NotRequired[float | None]
    tension: NotRequired[float]
    blank_distance_m: NotRequired[float | None]
    ties: NotRequired[bool]


class Health(TypedDict, closed=True):
    """
    How the platform is doing, as this instance sees it.
    """

    status: Literal["ok", "degraded", "away"]
    instance: str
    version: str
    components: Components


class IgrfConfig(TypedDict, closed=True):
    """
    Interpolation error allowed in the main field.
    """

    bound_nt: NotRequired[float]


LongitudeDegItem: TypeAlias = float


LatitudeDegItem: TypeAlias = float


HeightMItem: TypeAlias = float


class IgrfRequest(TypedDict, closed=True):
    longitude_deg: list[LongitudeDegItem]
    latitude_deg: list[LatitudeDegItem]
    height_m: NotRequired[list[HeightMItem]]
    date: list[str]


class InputConfig(TypedDict, closed=True):
    """
    How the file is to be understood; None means: guess, and say what was guessed.
    """

    columns: NotRequired[dict[str, str]]
    units: NotRequired[dict[str, str]]
    delimiter: NotRequired[str | None]
    crs: NotRequired[str | None]
    date: NotRequired[str | None]
    height_role: NotRequired[Literal["ellipsoidal", "orthometric", "clearance"] | None]
    base_station: NotRequired[str | None]
    calibration: NotRequired[str | None]
    dem: NotRequired[str | None]
    geoid_height_m: NotRequired[float | None]


class InputRef(TypedDict, closed=True):
    """
    A file for a job: an upload, or a product of an earlier job.
    """

    name: NotRequired[str | None]
    upload_id: NotRequired[str | None]
    job_id: NotRequired[str | None]
    artifact: NotRequired[str | None]


class InspectRequest(TypedDict, closed=True):
    columns: NotRequired[dict[str, str]]
    units: NotRequired[dict[str, str]]
    delimiter: NotRequired[str | None]
    crs: NotRequired[str | None]
    date: NotRequired[str | None]
    height_role: NotRequired[Literal["ellipsoidal", "orthometric", "clearance"] | None]


class InstallModule(TypedDict, closed=True):
    """
    A WebAssembly module to keep under a name.
    """

    name: str
    upload_id: str


class InstanceView(TypedDict, closed=True):
    """
    A gateway instance as it last said of itself.
    """

    id: str
    url: str
    version: str
    started_at: str
    seen_at: str
    draining: bool
    cpu_percent: float
    memory_mib: float
    requests_per_s: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    open_requests: int
    streams: int


class JoinRequest(TypedDict, closed=True):
    """
    The host that wants to join.
    """

    name: str
    addresses: list[str]


class JoinView(TypedDict, closed=True):
    """
    What a new worker needs.
    """

    engine: str
    address: str
    token: str
    certificates: dict[str, str]
    settings: dict[str, Any]


class KeyView(TypedDict, closed=True):
    """
    A key without its secret.
    """

    id: str
    user: str
    tenant: str
    label: str
    scope: str
    created_at: str
    last_used_at: str | None
    expires_at: str | None
    revoked: bool


class LagConfig(TypedDict, closed=True):
    """
    Sensor lag; None means: estimate from opposite headings, refuse where that says nothing.
    """

    lag_s: NotRequired[float | None]


class Live(TypedDict, closed=True):
    """
    The process answers.
    """

    status: Literal["ok"]


class LogLineView(TypedDict, closed=True):
    """
    A line that a job wrote.
    """

    sequence: int
    at: str
    level: str
    text: str


class LogList(TypedDict, closed=True):
    """
    Lines that a job wrote, oldest first.
    """

    items: list[LogLineView]
    next_after: int


class LoginRequest(TypedDict, closed=True):
    """
    Name and password.
    """

    name: str
    password: str


class ManualView(TypedDict, closed=True):
    """
    What an operator asked for, and until when it wins.
    """

    count: int
    until: str
    by: str


class MemberView(TypedDict, closed=True):
    """
    One worker or instance.
    """

    id: str
    state: Literal["starting", "ready", "draining"]
    shape: str
    busy: int
    idle_s: float
    removable: bool


class MicrolevellingConfig(TypedDict, closed=True):
    """
    Microlevelling is kept only where it narrows the crossovers, unless ``always`` is set.
    """

    always: NotRequired[bool]


class ModuleReference(TypedDict, closed=True):
    """
    A module: ``{"input": "shift.wasm"}``, ``{"name": "shift"}``, or just one of the two as text.
    """

    name: NotRequired[str | None]
    input: NotRequired[str | None]


class ModuleView(TypedDict, closed=True):
    """
    An installed WebAssembly module.
    """

    name: str
    size: int
    sha256: str


class NewKey(TypedDict, closed=True):
    """
    A new key with its secret, which is shown this once.
    """

    id: str
    user: str
    tenant: str
    label: str
    scope: str
    created_at: str
    last_used_at: str | None
    expires_at: str | None
    revoked: bool
    secret: str


class NewKeyRequest(TypedDict, closed=True):
    """
    A key to make.
    """

    user: NotRequired[str | None]
    label: NotRequired[str]
    scope: NotRequired[Literal["user", "join"]]
    expires_at: NotRequired[str | None]


class NewUserRequest(TypedDict, closed=True):
    """
    A user to add.
    """

    name: str
    tenant: str
    role: NotRequired[Literal["admin", "analyst", "client"]]
    password: NotRequired[str | None]


class NextAllowedView(TypedDict, closed=True):
    """
    From when the set may grow and shrink by itself; null for at once.
    """

    up: NotRequired[str | None]
    down: NotRequired[str | None]


class Observation(TypedDict, closed=True):
    """
    What is known of one source; what is null or left out neither helps nor hurts any class.
    """

    apparent_susceptibility_si: NotRequired[float | None]
    susceptibility_sigma_dex: NotRequired[float | None]
    koenigsberger: NotRequired[float | None]
    koenigsberger_sigma_dex: NotRequired[float | None]
    magnetization_angle_deg: NotRequired[float | None]
    angle_sigma_deg: NotRequired[float | None]
    width_m: NotRequired[float | None]
    length_m: NotRequired[float | None]
    aspect_ratio: NotRequired[float | None]
    depth_m: NotRequired[float | None]
    culture: NotRequired[bool | None]
    geometry: NotRequired[Literal["", "equant", "sheet", "pipe", "layer", "culture"]]


class Place(TypedDict, closed=True):
    """
    Where in the input something is wrong; rows count from 1.
    """

    file: NotRequired[str | None]
    row: NotRequired[int | None]
    column: NotRequired[str | None]
    field: NotRequired[str | None]


class ProblemView(TypedDict, closed=True):
    """
    An error, as RFC 9457 describes it.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    where: Place
    instance: str
    request_id: str
    job_id: NotRequired[str | None]


class ProgressView(TypedDict, closed=True):
    """
    How far a job is.
    """

    stage: str
    fraction: float
    message: str


class Ready(TypedDict, closed=True):
    """
    The instance takes requests.
    """

    status: Literal["ready"]


class ReportConfig(TypedDict, closed=True):
    """
    What stands on the cover.
    """

    title: NotRequired[str | None]
    client: NotRequired[str | None]


class ResourcesAsked(TypedDict, closed=True):
    """
    More or less than the kind asks for by itself.
    """

    cpus: NotRequired[float | None]
    memory_mib: NotRequired[int | None]
    vgpus: NotRequired[int | None]
    scratch_mib: NotRequired[int | None]


class ResourcesView(TypedDict, closed=True):
    """
    An amount of resources.
    """

    cpus: float
    memory_mib: int
    vgpus: int
    scratch_mib: int


class RetryRequest(TypedDict, closed=True):
    """
    How to run a job again.
    """

    stage: NotRequired[str]


class ScaleAnswer(TypedDict, closed=True):
    """
    How many members there will be; the leader brings them within seconds.
    """

    target: Literal["workers", "instances"]
    count: int


class ScaleRequest(TypedDict, closed=True):
    """
    More, fewer, or a number of members.
    """

    action: Literal["up", "down", "set"]
    count: NotRequired[int]
    target: NotRequired[Literal["workers", "instances"]]


class ScalingChanges(TypedDict, closed=True):
    """
    Changes of a set's policy that hold at once; a null takes a change back.
    """

    changes: dict[str, bool | int | float | str | list[str] | None]


class ScalingChangesView(TypedDict, closed=True):
    """
    The changes that hold for a set, over its settings.
    """

    target: Literal["workers", "instances"]
    changes: dict[str, Any]


class ScalingDecisionView(TypedDict, closed=True):
    """
    What the leader decided when it last looked; ``until`` says when what is held back may happen.
    """

    action: Literal["up", "down", "hold"]
    count: int
    reason: str
    until: NotRequired[str | None]


class ScalingRecordView(TypedDict, closed=True):
    """
    One decision that changed something, or tried to.
    """

    at: str
    target: Literal["workers", "instances"]
    action: Literal["up", "down", "replace"]
    count: int
    done: int
    before: int
    reason: str
    by: str
    note: str
    metrics: dict[str, float | None]


class ShapeView(TypedDict, closed=True):
    """
    A size of machine that the provider has; ``room`` is how many more it could give now.
    """

    name: str
    cpus: float
    memory_mib: int
    vgpus: int
    hourly_price: float
    spot: bool
    room: NotRequired[int | None]


Stage: TypeAlias = Literal[
    "despike",
    "lag",
    "compensation",
    "heading",
    "diurnal",
    "igrf",
    "levelling",
    "microlevelling",
    "gradients",
    "transforms",
    "depth",
    "targets",
    "maps",
    "report",
]


class SubmitJob(TypedDict, closed=True):
    """
    A job of any kind.
    """

    kind: str
    params: NotRequired[dict[str, Any]]
    inputs: NotRequired[list[InputRef]]
    upload_id: NotRequired[str | None]
    priority: NotRequired[int]
    resources: NotRequired[ResourcesAsked | None]
    wall_s: NotRequired[float | None]
    reuse: NotRequired[bool]


class SummaryView(TypedDict, closed=True):
    """
    A job in a list.
    """

    id: str
    kind: str
    state: Literal[
        "queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled"
    ]
    priority: int
    tenant: str
    submitted_at: str
    started_at: str | None
    finished_at: str | None
    progress: ProgressView | None
    error: ErrorView | None
    cached: bool


class SurveyInputs(TypedDict, closed=True):
    """
    Input files by role, under the names that they were uploaded with.
    """

    survey: NotRequired[str | None]
    base_station: NotRequired[str | None]
    calibration: NotRequired[str | None]
    dem: NotRequired[str | None]
    known_bodies: NotRequired[str | None]


class SystemView(TypedDict, closed=True):
    """
    How an instance is doing, and what every instance that others reach last said of itself.
    """

    instance: str
    version: str
    uptime_s: float
    cpu_percent: float
    memory_mib: float
    host_cpu_percent: float
    host_memory_percent: float
    open_requests: int
    streams: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    draining: bool
    instances: list[InstanceView]


class TargetConfig(TypedDict, closed=True):
    """
    Which anomalies become drill targets.
    """

    top_n: NotRequired[int]
    min_anomaly_nt: NotRequired[float | None]
    commodity: NotRequired[str | None]
    geology: NotRequired[str | None]


class TargetDrillsRequest(TypedDict, closed=True):
    values: NotRequired[list[float | None]]
    locations: NotRequired[list[Location]]
    grid: NotRequired[str | None]
    crs: NotRequired[str | None]
    date: NotRequired[str | None]
    assumed_date: NotRequired[str | None]
    inclination_deg: NotRequired[float | None]
    declination_deg: NotRequired[float | None]
    intensity_nt: NotRequired[float | None]
    noise_nt: NotRequired[float | None]
    cell_size_m: NotRequired[float | None]
    sensor_height_m: NotRequired[float | None]
    commodity: NotRequired[str | None]
    geology: NotRequired[str | None]
    top_n: NotRequired[int]
    min_anomaly_nt: NotRequired[float | None]
    upload_id: NotRequired[str | None]
    inputs: NotRequired[list[InputRef]]


class TargetParams(TypedDict, closed=True):
    """
    The body that is looked for; its anomaly is that of an equivalent sphere.
    """

    shape: NotRequired[Literal["circle", "line", "rectangle"]]
    length_m: NotRequired[float]
    width_m: NotRequired[float]
    radius_m: NotRequired[float | None]
    depth_to_centre_m: NotRequired[float]
    susceptibility_si: NotRequired[float]


class TransformConfig(TypedDict, closed=True):
    """
    Heights and bands of the transforms.
    """

    upward_m: NotRequired[float | None]
    regional_m: NotRequired[float | None]


class UploadRequest(TypedDict, closed=True):
    """
    An upload that begins.
    """

    filename: NotRequired[str]
    size: NotRequired[int | None]


class UploadView(TypedDict, closed=True):
    """
    A file on its way in.
    """

    id: str
    filename: str
    size: int | None
    offset: int
    complete: bool
    sha256: str | None
    created_at: str


class UsageView(TypedDict, closed=True):
    """
    What an attempt used, as measured.
    """

    cpu_s: float
    wall_s: float
    peak_memory_mib: float
    scratch_mib: float
    vm_start_s: float
    runtime: str
    vgpu: dict[str, Any]


class UserView(TypedDict, closed=True):
    """
    A user.
    """

    name: str
    tenant: str
    role: Literal["admin", "analyst", "client"]
    created_at: str
    disabled: bool


Column: TypeAlias = str


class WasmParams(TypedDict, closed=True):
    """
    A module over chosen columns of a table, or over a grid.
    """

    module: ModuleReference
    parameters: NotRequired[list[float]]
    fuel: NotRequired[int]
    memory_mib: NotRequired[int]
    over: NotRequired[Literal["columns", "grid"]]
    data: NotRequired[str | None]
    columns: NotRequired[list[Column]]


class WasmRequest(TypedDict, closed=True):
    upload_id: NotRequired[str | None]
    inputs: NotRequired[list[InputRef]]
    columns: NotRequired[dict[str, list[float | str | None]] | None]
    params: NotRequired[WasmParams]


class WishView(TypedDict, closed=True):
    """
    What an operator asked for last.
    """

    count: int
    at: str
    by: str


class ArtifactList(TypedDict, closed=True):
    """
    The files that a job made.
    """

    items: list[ArtifactView]


class AttemptResources(TypedDict, closed=True):
    """
    What an attempt asked for, and what it used once it has ended.
    """

    asked: ResourcesView
    used: UsageView | None


class AttemptView(TypedDict, closed=True):
    """
    One try to run a job.
    """

    id: str
    node: str
    state: Literal["starting", "running", "succeeded", "failed", "lost", "cancelled"]
    started_at: str
    finished_at: str | None
    error: ErrorView | None
    resources: AttemptResources


class CostAnalysisRequest(TypedDict, closed=True):
    project_type: NotRequired[Literal["mag_survey"]]
    area_km2: float
    methods: NotRequired[list[Literal["magnetometry", "gradiometry", "radiometrics"]]]
    platform: NotRequired[Literal["drone", "helicopter", "fixed-wing", "ground"]]
    line_spacing_m: NotRequired[float | None]
    tie_fraction: NotRequired[float]
    edge_fraction: NotRequired[float]
    sensor_height_m: NotRequired[float | None]
    target: NotRequired[TargetParams]
    noise_nt: NotRequired[float]
    threshold: NotRequired[float]
    field_nt: NotRequired[float]
    inclination_deg: NotRequired[float]
    follow_up_holes: NotRequired[int]
    hole_depth_m: NotRequired[float | None]
    prior_probability: NotRequired[float | None]
    discovery_value_usd: NotRequired[float | None]
    draws: NotRequired[int]
    seed: NotRequired[int]


class CustomStep(TypedDict, closed=True):
    """
    A client's module between two stages of the survey.
    """

    module: ModuleReference
    parameters: NotRequired[list[float]]
    fuel: NotRequired[int]
    memory_mib: NotRequired[int]
    at: NotRequired[Literal["conditioned", "gridded"]]
    channels: NotRequired[list[Channel]]


class DiscriminateRequest(TypedDict, closed=True):
    values: NotRequired[list[float | None]]
    locations: NotRequired[list[Location]]
    grid: NotRequired[str | None]
    crs: NotRequired[str | None]
    date: NotRequired[str | None]
    assumed_date: NotRequired[str | None]
    inclination_deg: NotRequired[float | None]
    declination_deg: NotRequired[float | None]
    intensity_nt: NotRequired[float | None]
    noise_nt: NotRequired[float | None]
    cell_size_m: NotRequired[float | None]
    sensor_height_m: NotRequired[float | None]
    commodity: NotRequired[str | None]
    geology: NotRequired[str | None]
    observations: NotRequired[list[Observation]]
    upload_id: NotRequired[str | None]
    inputs: NotRequired[list[InputRef]]


class JobList(TypedDict, closed=True):
    """
    Part of a list, newest first.
    """

    items: list[SummaryView]
    next_cursor: str


class JobView(TypedDict, closed=True):
    """
    A job with all that is known of it.
    """

    id: str
    kind: str
    state: Literal[
        "queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled"
    ]
    priority: int
    tenant: str
    submitted_at: str
    started_at: str | None
    finished_at: str | None
    progress: ProgressView | None
    error: ErrorView | None
    cached: bool
    attempts: list[AttemptView]
    result: dict[str, Any] | None
    artifacts: list[ArtifactView]


class KeyList(TypedDict, closed=True):
    """
    Keys without their secrets.
    """

    items: list[KeyView]


class MagSurveyParams(TypedDict, closed=True):
    """
    The whole job; every key of ``survey.toml`` but file paths, which are named under ``inputs``.
    """

    skip: NotRequired[list[Stage]]
    threads: NotRequired[int | None]
    input: NotRequired[InputConfig]
    field: NotRequired[FieldConfig]
    despike: NotRequired[DespikeConfig]
    lag: NotRequired[LagConfig]
    diurnal: NotRequired[DiurnalConfig]
    igrf: NotRequired[IgrfConfig]
    microlevelling: NotRequired[MicrolevellingConfig]
    gradients: NotRequired[GradientConfig]
    grid: NotRequired[GridConfig]
    transforms: NotRequired[TransformConfig]
    depth: NotRequired[DepthConfig]
    targets: NotRequired[TargetConfig]
    report: NotRequired[ReportConfig]
    inputs: NotRequired[SurveyInputs]
    custom_step: NotRequired[CustomStep | None]


class MagSurveyRequest(TypedDict, closed=True):
    upload_id: NotRequired[str | None]
    inputs: NotRequired[list[InputRef]]
    columns: NotRequired[dict[str, list[float | str | None]] | None]
    params: NotRequired[MagSurveyParams]


class ModuleList(TypedDict, closed=True):
    """
    The tenant's modules, by name.
    """

    items: list[ModuleView]


class NodeView(TypedDict, closed=True):
    """
    A worker node.
    """

    id: str
    address: str
    total: ResourcesView
    free: ResourcesView
    trust: str
    runtime: str
    enforces: list[str]
    draining: bool
    ready: bool
    active_vms: int
    warm_vms: int
    cpu_percent: float
    memory_percent: float
    seen_at: str | None


class ScaledSetView(TypedDict, closed=True):
    """
    One scaled set as the leader saw it last.
    """

    at: str
    count: int
    expected: int
    ready: int
    starting: int
    draining: int
    bounds: BoundsView
    metrics: dict[str, float | None]
    decision: ScalingDecisionView
    next_allowed: NextAllowedView
    manual: NotRequired[ManualView | None]
    leaving: dict[str, str]
    shapes: list[ShapeView]
    members: list[MemberView]
    policy: dict[str, Any]
    wish: NotRequired[WishView | None]
    changes: dict[str, Any]


class ScaledSetsView(TypedDict, closed=True):
    """
    Both sets; null for one that does not scale here.
    """

    workers: NotRequired[ScaledSetView | None]
    instances: NotRequired[ScaledSetView | None]


class ScalingStatus(TypedDict, closed=True):
    """
    How workers and instances scale, and what was decided lately, newest first.
    """

    targets: ScaledSetsView
    history: list[ScalingRecordView]


class UserList(TypedDict, closed=True):
    """
    Users.
    """

    items: list[UserView]


class NodeList(TypedDict, closed=True):
    """
    The worker nodes.
    """

    items: list[NodeView]
