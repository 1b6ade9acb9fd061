/** A canned town in the shapes of api.md 4: enough of every state to see the page at work. */

const NO_TOKENS = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
const uuid = (kind, number) => `${kind}${String(number).padStart(7, "0")}-1c2d-4e3f-8a4b-5c6d7e8f9a0b`;
const ago = (seconds) => new Date(Date.now() - seconds * 1_000).toISOString();

const TOWN = uuid("a", 1);
const API = uuid("b", 1);
const WEB = uuid("b", 2);
const MODEL = "anthropic/claude-sonnet-4.5";
const SMALL = "anthropic/claude-haiku-4.5";

function wait(code, message) {
  return { code, message, since: ago(95), until: null, scope: "bead", bead_id: null, agent_id: null };
}

let beadCount = 0;
function bead(status, title, more = {}) {
  beadCount += 1;
  return {
    bead_id: uuid((0xc0 + beadCount).toString(16).slice(-1) + (beadCount % 10), beadCount).slice(0, 36),
    type: "issue",
    status,
    title,
    body: null,
    rig_id: API,
    parent_bead_id: null,
    assignee_agent_bead_id: null,
    priority: "medium",
    labels: [],
    metadata: {},
    created_at: ago(4_000 - beadCount * 100),
    updated_at: ago(900 - beadCount * 40),
    closed_at: null,
    version: 1,
    attempt: 1,
    held: false,
    assignee_name: null,
    branch: null,
    pr_url: null,
    review_state: null,
    requested_model: null,
    last_model: null,
    failure: null,
    wait: null,
    tokens: NO_TOKENS,
    cost_usd: null,
    ...more,
  };
}

function agent(number, name, role, status, more = {}) {
  return {
    id: uuid("d", number),
    rig_id: role === "mayor" ? null : API,
    role,
    name,
    identity: `${name.toLowerCase()}-${role}`,
    status,
    current_hook_bead_id: null,
    dispatch_attempts: 0,
    last_activity_at: ago(number * 3),
    checkpoint: null,
    created_at: ago(9_000),
    agent_status_message: null,
    agent_status_updated_at: null,
    version: 1,
    assignment: null,
    state_reason: null,
    current_tool: null,
    cost_usd: null,
    ...more,
  };
}

function assignment(number, worker, work, kind, phase, detail = null) {
  return {
    assignment_id: uuid("e", number),
    epoch: 1,
    bead_id: work.bead_id,
    bead_title: work.title,
    agent_id: worker.id,
    agent_name: worker.name,
    rig_id: API,
    kind,
    phase,
    phase_detail: detail,
    attempt: 1,
    model: MODEL,
    small_model: SMALL,
    model_reason: "profile balanced, polecat",
    branch: work.branch ?? "",
    base: "main",
    commit: null,
    lease_until: null,
    started_at: ago(200),
    ended_at: null,
    outcome: null,
  };
}

export function demoTown() {
  beadCount = 0;
  const toast = agent(2, "Toast", "polecat", "working", {
    agent_status_message: "Writing the tests for an expired cursor",
    current_tool: "edit",
    cost_usd: 0.21,
  });
  const maple = agent(3, "Maple", "polecat", "working");
  const birch = agent(4, "Birch", "polecat", "stalled", {
    state_reason: "No progress for 12 minutes",
    rig_id: WEB,
  });
  const refinery = agent(5, "Refinery", "refinery", "working");
  const shadow = agent(6, "Shadow", "polecat", "idle");
  const mayor = agent(1, "Mayor", "mayor", "waiting");

  const paging = bead("in_progress", "Return a cursor from the list of invoices instead of page numbers", {
    body: "The list at `GET /invoices` takes `page`. Replace it by an opaque `cursor`:\n\n- keep `limit`\n- answer with `X-Next-Cursor`\n- a cursor of **another filter** is a 400\n\n```rust\npub fn next(cursor: &Cursor) -> Option<Cursor>\n```",
    assignee_agent_bead_id: toast.id,
    assignee_name: "Toast",
    branch: "polecat/toast/c1000000",
    priority: "high",
    labels: ["backend", "api"],
    cost_usd: 0.21,
    last_model: MODEL,
  });
  const upload = bead("in_progress", "Accept uploads of up to 50 MB", {
    assignee_agent_bead_id: maple.id,
    assignee_name: "Maple",
    branch: "polecat/maple/c2000000",
    last_model: MODEL,
  });
  const focus = bead("in_progress", "Keep the focus in the search field when results arrive", {
    rig_id: WEB,
    assignee_agent_bead_id: birch.id,
    assignee_name: "Birch",
    labels: ["a11y"],
    attempt: 2,
    last_model: MODEL,
    cost_usd: 0.48,
  });
  const health = bead("in_review", "Add a health endpoint that checks the database", {
    assignee_agent_bead_id: shadow.id,
    assignee_name: "Shadow",
    review_state: "reviewing",
    priority: "low",
    labels: ["ops"],
    cost_usd: 0.09,
    last_model: MODEL,
    wait: wait("waiting_review", "The refinery is reviewing round 1"),
  });
  toast.assignment = assignment(1, toast, paging, "work", "running");
  maple.assignment = assignment(2, maple, upload, "work", "starting", "cloning");
  birch.assignment = assignment(3, birch, focus, "rework", "running");
  refinery.assignment = assignment(4, refinery, health, "review", "running");
  for (const each of [toast, maple, birch, refinery]) each.current_hook_bead_id = each.assignment.bead_id;

  const beads = [
    paging,
    upload,
    focus,
    health,
    bead("open", "Rotate the signing keys without a restart", {
      priority: "critical",
      labels: ["security", "backend"],
      wait: wait("no_slot_rig", "No free polecat slot in api (2 of 2 in use)"),
    }),
    bead("open", "Document the error codes of the API", {
      priority: "low",
      wait: wait("blocked", "Blocked by “Return a cursor from the list of invoices instead of page numbers”"),
    }),
    bead("open", "Dark theme for the printed invoice", {
      rig_id: WEB,
      held: true,
      wait: wait("held", "Held by a person"),
    }),
    bead("closed", "Validate e-mail addresses on the server", {
      assignee_name: "Toast",
      closed_at: ago(700),
      cost_usd: 0.12,
      last_model: MODEL,
      labels: ["backend"],
    }),
    bead("closed", "Fix the time zone of exported reports", {
      assignee_name: "Maple",
      closed_at: ago(2_400),
      cost_usd: 0.34,
      last_model: SMALL,
      attempt: 2,
    }),
    bead("closed", "Upgrade the HTTP client", {
      assignee_name: "Shadow",
      closed_at: ago(7_900),
      cost_usd: 0.05,
      last_model: SMALL,
    }),
    bead("failed", "Move the sessions to the new cache", {
      priority: "high",
      assignee_name: "Shadow",
      cost_usd: 1.02,
      attempt: 3,
      last_model: MODEL,
      failure: {
        code: "review_rounds_exhausted",
        message: "Three review rounds ended with changes requested",
        source: "review",
        at: ago(3_000),
        details: {},
      },
    }),
    bead("closed", "mail: hello", { type: "message" }),
  ];
  const [, , , , , , , email] = beads;

  let eventSeq = 60;
  const event = (seconds, type, text, work, more = {}) => {
    eventSeq -= 1;
    return {
      bead_event_id: uuid("f", eventSeq),
      bead_id: work?.bead_id ?? null,
      agent_id: null,
      event_type: type,
      old_value: null,
      new_value: null,
      metadata: {},
      created_at: ago(seconds),
      seq: eventSeq,
      rig_id: API,
      convoy_id: null,
      actor: { kind: "reconciler", id: null, name: null },
      rule: null,
      cause_seq: null,
      title: work?.title ?? null,
      text,
      ...more,
    };
  };
  const events = [
    event(8, "dispatched", "Maple started on “Accept uploads of up to 50 MB”", upload),
    event(
      40,
      "review_submitted",
      "Shadow submitted “Add a health endpoint that checks the database” for review",
      health,
    ),
    event(95, "created", "The mayor slung “Rotate the signing keys without a restart”", beads[4]),
    event(
      210,
      "dispatched",
      "Toast started on “Return a cursor from the list of invoices instead of page numbers”",
      paging,
    ),
    event(320, "rework_requested", "The refinery asked Birch for changes (round 2)", focus),
    event(700, "merged", "“Validate e-mail addresses on the server” was merged into main as 4f1c9e2", email),
    event(705, "status_changed", "“Validate e-mail addresses on the server” is closed", email, {
      new_value: "closed",
    }),
    event(820, "review_completed", "The refinery approved “Validate e-mail addresses on the server”", email),
    event(
      3_000,
      "status_changed",
      "“Move the sessions to the new cache” failed: three review rounds ended with changes requested",
      beads[10],
      { new_value: "failed" },
    ),
    event(3_600, "escalated", "The mayor was told about “Move the sessions to the new cache”", beads[10]),
  ];

  const messages = [
    message(1, 900, "user", [
      {
        type: "text",
        text: "Please make the list of invoices page with a cursor. Page numbers skip rows when new invoices come in.",
      },
    ]),
    message(2, 880, "mayor", [
      {
        type: "text",
        text: "I looked at `src/invoices/list.rs`: it is one handler and two callers. I slung **one task** for the handler and **one** for the documentation, which waits for the first.",
      },
      {
        type: "tool",
        tool: "gt_sling",
        state: "completed",
        title: "Slung 2 tasks",
        refs: [
          { kind: "bead", id: paging.bead_id, rig_id: API },
          { kind: "agent", id: toast.id, rig_id: API },
        ],
      },
    ]),
    message(3, 300, "user", [{ type: "text", text: "And how is the health endpoint coming along?" }]),
    message(4, 290, "mayor", [
      {
        type: "text",
        text: "Shadow has submitted it; the refinery is on round 1. So far:\n\n1. tests pass\n2. the query has a time limit of 2 s\n3. still open: what to answer while migrations run\n\nI will tell you when it is merged.",
      },
    ]),
  ];

  const town = {
    id: TOWN,
    name: "Ada's Town",
    owner_user_id: "ada",
    created_at: ago(90_000),
    updated_at: ago(90),
    version: 1,
    role: "owner",
    paused: false,
    counts: { rigs: 2, working_agents: 3, open_beads: 7, escalations: 1, needs_attention: 1 },
  };
  return {
    session: {
      user: { id: "ada", name: "Ada Lovelace", email: "ada@example.org", is_admin: false },
      orgs: [],
      expires_at: ago(-3_600),
    },
    towns: [
      town,
      {
        ...town,
        id: uuid("a", 2),
        name: "Billing",
        paused: true,
        counts: { rigs: 1, working_agents: 0, open_beads: 12, escalations: 0, needs_attention: 0 },
      },
      {
        ...town,
        id: uuid("a", 3),
        name: "Playground",
        counts: { rigs: 1, working_agents: 1, open_beads: 1, escalations: 0, needs_attention: 0 },
      },
    ],
    messages: messages.toReversed(),
    snapshot: {
      seq: 60,
      town,
      rigs: [
        { id: API, town_id: TOWN, name: "api", git_url: "https://example.org/api.git", version: 1 },
        { id: WEB, town_id: TOWN, name: "web", git_url: "https://example.org/web.git", version: 1 },
      ],
      agents: [mayor, toast, maple, birch, refinery, shadow],
      beads,
      convoys: [],
      escalations: [],
      merge_queue: { needs_attention: [], in_flight: [] },
      mayor: {
        configured: true,
        townId: TOWN,
        session: { agentId: mayor.id, sessionId: "s1", status: "idle", lastActivityAt: ago(290) },
        model: "anthropic/claude-opus-4.5",
        modelReason: "profile balanced, mayor",
        modelPending: null,
        error: null,
        wait: null,
      },
      status: {},
      events,
      truncated: false,
    },
  };
}

/** The same town before anyone has done anything. */
export function emptyTown() {
  const town = demoTown();
  return {
    ...town,
    messages: [],
    snapshot: {
      ...town.snapshot,
      agents: [town.snapshot.agents[0]],
      beads: [],
      events: [],
      mayor: { ...town.snapshot.mayor, session: null },
    },
  };
}

function message(number, seconds, role, parts) {
  return {
    id: uuid("9", number),
    at: ago(seconds),
    role,
    author: null,
    parts,
    state: role === "user" ? "delivered" : "complete",
  };
}
