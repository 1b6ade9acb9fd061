/** The shapes of the API, written from docs/openapi.json by `cargo xtask golden`. Nobody edits this file. */

export type components = {
    schemas: {
        Acknowledged: {
            acknowledged: boolean;
        };
        AcknowledgeEscalation: {
            note?: string | null;
        };
        AcknowledgeMail: {
            mail_ids?: string[] | null;
        };
        /** @description Who did it. */
        Actor: {
            /** @description Exactly who. */
            id: string | null;
            /** @description user, agent, mayor, reconciler, runtime or forge. */
            kind: string;
            /** @description For people. */
            name: string | null;
        };
        AddToConvoy: {
            bead_id?: string | null;
            depends_on?: string[] | null;
            task?: {
                body?: string | null;
                budget_usd?: number | null;
                depends_on?: unknown[] | null;
                held?: boolean | null;
                labels?: string[] | null;
                metadata?: {
                    [key: string]: unknown;
                } | null;
                model?: string | null;
                parent_bead_id?: string | null;
                /** @enum {string|null} */
                priority?: "low" | "medium" | "high" | "critical" | null;
                rig_id?: string | null;
                title: string;
            } | null;
        };
        Advance: {
            summary: string;
        };
        /** @description **Agent**. */
        Agent: {
            agent_status_message: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            agent_status_updated_at: string | null;
            assignment: components["schemas"]["Assignment"] | null;
            checkpoint: unknown;
            context_used_percent: number | null;
            cost_usd: number | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            current_hook_bead_id: string | null;
            current_tool: string | null;
            dispatch_attempts: number;
            id: string;
            identity: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            last_activity_at: string | null;
            name: string;
            pending_nudges: number;
            rig_id: string | null;
            role: components["schemas"]["AgentRole"];
            rss_bytes: number | null;
            state_reason: string | null;
            status: components["schemas"]["AgentStatus"];
            tokens: components["schemas"]["Tokens"];
            undelivered_mail: number;
            version: number;
        };
        /** @description Agents by status. */
        AgentCounts: {
            dead: number;
            idle: number;
            stalled: number;
            total: number;
            waiting: number;
            working: number;
        };
        /** @description **AgentEvent**. */
        AgentEvent: {
            agent_id: string;
            assignment_id: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            data: unknown;
            event_type: string;
            id: number;
            seq: number;
        };
        AgentHappening: {
            agent_id: string;
            data?: {
                [key: string]: unknown;
            } | null;
            event_type: string;
        };
        /** @description An agent in a list of other things. */
        AgentName: {
            id: string;
            name: string;
        };
        /** @enum {string} */
        AgentRole: "polecat" | "refinery" | "mayor";
        /** @enum {string} */
        AgentStatus: "idle" | "working" | "waiting" | "stalled" | "dead";
        AgentTicket: {
            ticket: string;
            url: string;
        };
        /** @description One token in the reply of [`AgentTokens`]; sessions that are over are missing. */
        AgentToken: {
            /** @description Who. */
            agent_id: string;
            /** @description Which session. */
            assignment_id: string;
            /** @description Fencing number. */
            epoch: number;
            /** @description Its end. */
            expires_at: string;
            /** @description The token. */
            token: string;
        };
        AgentView: {
            activeTools: string[];
            agentId: string;
            exitReason: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            lastActivityAt: string | null;
            model: string | null;
            name: string;
            rigId: string;
            role: components["schemas"]["AgentRole"];
            sessionId: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            startedAt: string | null;
            status: string;
            townId: string;
        };
        /** @description When the town looks again by itself. */
        AlarmStatus: {
            intervalLabel: string;
            intervalMs: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            nextFireAt: string | null;
        };
        Appended: {
            appended: boolean;
        };
        /** @description **Assignment**. */
        Assignment: {
            agent_id: string;
            agent_name: string;
            assignment_id: string;
            attempt: number;
            base: string | null;
            bead_id: string;
            bead_title: string;
            branch: string | null;
            commit: string | null;
            cost_usd: number | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            ended_at: string | null;
            epoch: number;
            kind: components["schemas"]["Kind"];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            lease_until: string | null;
            model: string | null;
            model_reason: string | null;
            model_source: string | null;
            outcome: components["schemas"]["AssignmentOutcome"] | null;
            phase: components["schemas"]["Phase"];
            phase_detail: components["schemas"]["Step"] | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            queued_at: string;
            reason: components["schemas"]["Failure"] | null;
            rig_id: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            running_at: string | null;
            small_model: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            started_at: string | null;
            summary: string | null;
            tokens: components["schemas"]["Tokens"];
        };
        /** @enum {string} */
        AssignmentOutcome: "done" | "approved" | "changes_requested" | "rejected" | "stopped" | "failed" | "start_failed" | "lost" | "evicted" | "budget";
        /** @description One thing that a person has to decide about a convoy. */
        Attention: {
            /** @description About this task. */
            bead_id: string | null;
            /** @description What a person may choose. */
            choices: string[];
            /** @description Machine word. */
            code: components["schemas"]["AttentionCode"];
            /** @description One sentence. */
            message: string;
            /** @description About this rig's landing. */
            rig_id: string | null;
            /** @description Since when. */
            since: string;
        };
        /** @enum {string} */
        AttentionCode: "task_failed" | "landing_exhausted" | "budget_reached";
        AuditEntry: {
            action: string;
            actor: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            at: string;
            changes: {
                [key: string]: unknown;
            };
            id: string;
            request_id: string;
            target: components["schemas"]["AuditTarget"];
        };
        AuditTarget: {
            id: string;
            kind: string;
        };
        /** @description Author of commits. */
        Author: {
            /** @description Address. */
            email: string;
            /** @description Name. */
            name: string;
        };
        /** @description **Bead**. */
        Bead: {
            assignee_agent_bead_id: string | null;
            assignee_name: string | null;
            attempt: number;
            bead_id: string;
            blocked_by: string[];
            body: string | null;
            branch: string | null;
            budget_usd: number | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            closed_at: string | null;
            convoy_id: string | null;
            cost_usd: number | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            created_by: string | null;
            dispatch_attempts: number;
            failure: components["schemas"]["Failure"] | null;
            held: boolean;
            labels: string[];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            last_dispatch_attempt_at: string | null;
            last_model: string | null;
            metadata: {
                [key: string]: unknown;
            };
            outcome: components["schemas"]["BeadOutcome"] | null;
            parent_bead_id: string | null;
            pr_url: string | null;
            priority: components["schemas"]["Priority"];
            requested_model: string | null;
            review_state: components["schemas"]["ReviewState"] | null;
            rig_id: string | null;
            skipped: boolean;
            staged: boolean;
            status: components["schemas"]["BeadStatus"];
            title: string;
            tokens: components["schemas"]["Tokens"];
            type: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            updated_at: string;
            version: number;
            wait: components["schemas"]["Wait"] | null;
        };
        /** @description Beads by status. */
        BeadCounts: {
            failed: number;
            inProgress: number;
            inReview: number;
            open: number;
            triageRequests: number;
        };
        /** @enum {string} */
        BeadOutcome: "merged" | "done" | "no_change" | "closed_by_user" | "cancelled";
        /** @enum {string} */
        BeadStatus: "open" | "in_progress" | "in_review" | "closed" | "failed";
        BeadWaits: {
            bead_id: string;
            rig_id: string;
            status: string;
            title: string;
            waits: components["schemas"]["Wait"][];
        };
        /** @description What it waits for. */
        Blocker: {
            bead_id: string;
            failure: components["schemas"]["Failure"] | null;
            status: components["schemas"]["BeadStatus"];
            title: string;
        };
        /** @description A breaker as people see it. */
        BreakerRow: {
            failures: number;
            last_error: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            opens_until: string | null;
            scope: string;
            state: components["schemas"]["BreakerState"];
        };
        /** @enum {string} */
        BreakerState: "closed" | "open" | "half_open";
        /** @description A breaker as people see it. */
        BreakerStatus: {
            failures: number;
            last_error: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            opens_until: string | null;
            state: components["schemas"]["BreakerState"];
        };
        Broadcast: {
            broadcast: boolean;
        };
        /** @description One bucket. */
        Bucket: {
            agents_peak: number;
            beads_closed: number;
            beads_created: number;
            beads_failed: number;
            changes_requested: number;
            cost_usd: number | null;
            dispatches: number;
            events: number;
            lost: number;
            merges: number;
            queue_peak: number;
            reviews: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            start: string | null;
            start_failures: number;
            tokens: components["schemas"]["Tokens"];
        };
        /** @description One limit of spend and how much of it is used. */
        BudgetRow: {
            /** @description Limit. */
            limit: number;
            /** @description When it begins anew. */
            resets_at: string | null;
            /** @description `town_daily`. */
            scope: string;
            /** @description `usd` or `tokens`. */
            unit: string;
            /** @description Used so far. */
            used: number;
        };
        Bulk: {
            bead_ids: string[];
            labels?: string[] | null;
            /** @enum {string} */
            op: "delete" | "close" | "fail" | "retry" | "start" | "add_labels" | "remove_labels";
        };
        BulkDelete: {
            bead_ids: string[];
        };
        /** @description What became of one bead of a bulk call. */
        BulkResult: {
            /** @description Which. */
            bead_id: string;
            /** @description Why not. */
            code?: components["schemas"]["Code"] | null;
            /** @description The same in words. */
            error?: string | null;
            /** @description It was done. */
            ok: boolean;
        };
        BulkResults: {
            results: components["schemas"]["BulkResult"][];
        };
        /** @enum {string} */
        Checks: "none" | "pending" | "green" | "red";
        Cleared: {
            cleared: boolean;
        };
        CloseBead: {
            agent_id?: string | null;
        };
        /** @enum {string} */
        Code: "invalid_json" | "invalid_request" | "invalid_paging" | "invalid_cursor" | "unknown_field" | "assignment_required" | "plan_unclear" | "unauthenticated" | "token_invalid" | "token_expired" | "ticket_invalid" | "forbidden" | "credential_not_accepted" | "wrong_town" | "wrong_rig" | "wrong_agent" | "wrong_account" | "identity_mismatch" | "role_not_allowed" | "admin_read_only" | "access_disabled" | "origin_not_allowed" | "host_not_allowed" | "not_found" | "no_credentials" | "not_offered" | "method_not_allowed" | "stale_assignment" | "terminal_bead" | "illegal_transition" | "agent_busy" | "bead_assigned" | "not_hooked" | "not_failed" | "not_staged" | "convoy_closed" | "already_resolved" | "duplicate_name" | "duplicate_identity" | "probable_duplicate" | "instance_superseded" | "idempotency_in_progress" | "precondition_failed" | "body_too_large" | "unsupported_media_type" | "dependency_cycle" | "unknown_reference" | "unknown_rig" | "cross_rig_dependency" | "not_hookable" | "verdict_required" | "reserved_name" | "read_only_field" | "unsupported_value" | "unsafe_url" | "limit_reached" | "idempotency_mismatch" | "unknown_profile" | "unknown_role" | "scope_not_allowed" | "label_not_routable" | "duplicate_override" | "bad_model_id" | "mayor_is_town_level" | "not_dispatchable" | "rate_limited" | "internal" | "draining" | "runtime_unavailable" | "overloaded" | "misconfigured";
        Completed: {
            completed: boolean;
        };
        ConfigSchemas: {
            rig: Record<string, never>;
            town: Record<string, never>;
        };
        Configured: {
            configured: boolean;
        };
        /** @description Reply of `POST T/refresh-container-token`. */
        ContainerToken: {
            /** @description Whether the old one had already ended. */
            expiredInbound: boolean;
            /** @description The new token. */
            token: string;
        };
        /** @description **ConvoyDetail**, and **Convoy** where the parts behind `rigs` are left out. */
        Convoy: {
            actions?: string[] | null;
            attention: components["schemas"]["Attention"][];
            beads?: components["schemas"]["ConvoyTask"][] | null;
            budget_usd: number | null;
            closed_beads: number;
            closed_by: string | null;
            cost_usd: number | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            created_by: string | null;
            dependency_edges?: components["schemas"]["ConvoyEdge"][] | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            ended_at: string | null;
            failed_beads: number;
            failure: components["schemas"]["ConvoyFailure"] | null;
            feature_branch: string | null;
            id: string;
            in_flight_beads: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            landed_at: string | null;
            merge_mode: components["schemas"]["ConvoyMergeMode"];
            metadata: {
                [key: string]: unknown;
            };
            rigs: components["schemas"]["ConvoyRig"][];
            skipped_beads: number;
            staged: boolean;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            started_at: string | null;
            state: string;
            status: string;
            title: string;
            tokens: components["schemas"]["Tokens"];
            total_beads: number;
            version: number;
        };
        /** @description One dependency. */
        ConvoyEdge: {
            bead_id: string;
            depends_on_bead_id: string;
        };
        /** @description **Failure** of a convoy: what a person has to decide first. */
        ConvoyFailure: {
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            at: string;
            code: string;
            details: {
                [key: string]: unknown;
            };
            message: string;
            source: string;
        };
        /** @enum {string} */
        ConvoyMergeMode: "review-then-land" | "review-and-merge";
        /** @description A convoy in a list of other things. */
        ConvoyName: {
            id: string;
            title: string | null;
        };
        /** @description The part of a convoy in one rig. */
        ConvoyRig: {
            attempts: number;
            feature_branch: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            landed_at: string | null;
            landed_commit: string | null;
            landing_mr_bead_id: string | null;
            landing_state: components["schemas"]["LandingState"];
            last_error: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            next_at: string | null;
            rig_id: string;
            rig_name: string;
        };
        /** @description One task of a convoy. */
        ConvoyTask: {
            assignee_agent_name: string | null;
            bead_id: string;
            cost_usd: number | null;
            held: boolean;
            model: string | null;
            pr_url: string | null;
            priority: components["schemas"]["Priority"];
            review_state: string | null;
            rig_id: string;
            skipped: boolean;
            status: components["schemas"]["BeadStatus"];
            title: string;
            wait: components["schemas"]["TaskWait"] | null;
            wave: number;
        };
        /** @description One of them. */
        Counter: {
            cap: number;
            count: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            retry_at: string | null;
        };
        /** @description What was charged, against what limit. */
        Counters: {
            agent_errors: components["schemas"]["Counter"];
            feedback_rounds: components["schemas"]["Counter"];
            lost_leases: components["schemas"]["Counter"];
            review_rounds: components["schemas"]["Counter"];
            start_failures: components["schemas"]["Counter"];
        };
        CreateBead: {
            body?: string | null;
            budget_usd?: number | null;
            depends_on?: string[] | null;
            held?: boolean | null;
            labels?: string[] | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            model?: string | null;
            parent_bead_id?: string | null;
            /** @enum {string|null} */
            priority?: "low" | "medium" | "high" | "critical" | null;
            rig_id: string;
            title: string;
            /** @enum {string|null} */
            type?: "issue" | null;
        };
        CreateConvoy: {
            beads?: {
                bead_id: string;
            }[] | null;
            budget_usd?: number | null;
            /** @enum {string|null} */
            merge_mode?: "review-then-land" | "review-and-merge" | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            parallel?: boolean | null;
            staged?: boolean | null;
            tasks?: {
                body?: string | null;
                budget_usd?: number | null;
                depends_on?: unknown[] | null;
                held?: boolean | null;
                labels?: string[] | null;
                metadata?: {
                    [key: string]: unknown;
                } | null;
                model?: string | null;
                parent_bead_id?: string | null;
                /** @enum {string|null} */
                priority?: "low" | "medium" | "high" | "critical" | null;
                rig_id?: string | null;
                title: string;
            }[] | null;
            title: string;
        };
        /** @description The first open step. */
        CurrentStep: {
            bead_id: string;
            index: number;
            instructions: string;
            status: components["schemas"]["StepState"];
            title: string;
        };
        DecideConvoy: {
            bead_ids?: string[] | null;
            reason?: string | null;
        };
        DeleteByStatus: {
            /** @enum {string} */
            status: "open" | "in_progress" | "in_review" | "closed" | "failed";
            /** @enum {string|null} */
            type?: "issue" | "merge_request" | "molecule" | null;
        };
        Deleted: {
            deleted: boolean;
        };
        DeletedCount: {
            deleted: number;
        };
        Delivered: {
            delivered: number;
        };
        Destroyed: {
            destroyed: boolean;
        };
        Document: Record<string, never>;
        Done: {
            branch?: string | null;
            commit?: string | null;
            files?: string[] | null;
            pr_url?: string | null;
            summary?: string | null;
            /** @enum {string|null} */
            verdict?: "approve" | "request_changes" | "reject" | null;
        };
        DoneSaid: {
            done: boolean;
        };
        DrainStatus: {
            draining: boolean;
            drainNonce?: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            drainStartedAt: string | null;
        };
        /** @description How long things took. */
        Durations: {
            queue_ms: components["schemas"]["Percentiles"];
            review_ms: components["schemas"]["Percentiles"];
            work_ms: components["schemas"]["Percentiles"];
        };
        /** @description `{"success":false,…}`. */
        ErrorBody: {
            /** @description One machine word: [`super::code::Code`], or a code that only the control API has. */
            code: string;
            /** @description Names the other party, the kind of what was not found, and the like. */
            details?: unknown;
            /** @description One sentence for people. */
            error: string;
            /** @description The fields that failed validation. */
            issues?: components["schemas"]["Issue"][];
            /** @description Names the request in every log line. */
            request_id: string;
            /** @description Always false. */
            success: boolean;
        };
        /** @description **Escalation**. */
        Escalation: {
            acknowledged: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            acknowledged_at: string | null;
            acknowledged_by: string | null;
            actions: string[];
            bead_id: string;
            category: string | null;
            code: string;
            convoy_id: string | null;
            count: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            id: string;
            message: string;
            re_escalation_count: number;
            replies: unknown[];
            severity: components["schemas"]["Severity"];
            source_agent_id: string | null;
            source_bead_id: string | null;
            source_rig_id: string | null;
            title: string;
            type: string;
            version: number;
        };
        /** @description **Event**. */
        Event: {
            actor: components["schemas"]["Actor"];
            agent_id: string | null;
            bead_event_id: string;
            bead_id: string | null;
            cause_seq: number | null;
            convoy_id: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            event_type: string;
            metadata: {
                [key: string]: unknown;
            };
            new_value: string | null;
            old_value: string | null;
            rig_id: string | null;
            rule: string | null;
            /** @default 0 */
            seq: number;
            text: string;
            title: string | null;
        };
        /** @description Reply of [`EventBatches`]. */
        EventsReply: {
            /** @description Next number that is wanted, by agent. */
            next_seq: {
                [key: string]: number;
            };
        };
        Evicted: {
            acknowledged: boolean;
            drainNonce: string | null;
        };
        /** @description **Explain**. */
        Explain: {
            actions: string[];
            assignments: components["schemas"]["Assignment"][];
            bead: components["schemas"]["Bead"];
            blockers: components["schemas"]["Blocker"][];
            counters: components["schemas"]["Counters"];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            next_check_at: string | null;
            resolved_model: components["schemas"]["Resolution"] | null;
            review: components["schemas"]["Review"] | null;
            totals: components["schemas"]["Totals2"];
            waits: components["schemas"]["Wait"][];
        };
        /** @description What became of one fact. */
        FactResult: {
            /** @description Why, when it was not applied. */
            code?: string | null;
            /** @description The fact. */
            fact_id: string;
            /** @description What became of it. */
            status: components["schemas"]["ItemStatus"];
        };
        /** @description Reply of [`Facts`]. */
        FactsReply: {
            /** @description One per fact. */
            results: components["schemas"]["FactResult"][];
        };
        /** @description **Failure**. */
        Failure: {
            /** @description When. */
            at: string;
            /** @description Machine word; never empty. */
            code: string;
            /** @description More. */
            details: {
                [key: string]: unknown;
            };
            /** @description One sentence for people. */
            message: string;
            /** @description agent, runtime, reconciler, review, forge, user or admin. */
            source: string;
        };
        /** @description What a deployment may or may not offer. */
        Features: {
            /** @description Short-lived tokens of a GitHub App. */
            github_app: boolean;
            /** @description Prices of models. */
            prices: boolean;
            /** @description Terminals of agents. */
            pty: boolean;
        };
        /** @description What a molecule is made of. */
        Formula: {
            /** @description In order. */
            steps: components["schemas"]["FormulaStep"][];
        };
        /** @description One step as it was asked for. */
        FormulaStep: {
            /** @description What to do. */
            instructions: string;
            /** @description One line. */
            title: string;
        };
        /** @description One gate's run. */
        GateResult: {
            /** @description Command. */
            command: string;
            /** @description How long it ran. */
            duration_ms: number;
            /** @description Exit status; absent when it was killed. */
            exit_code: number | null;
            /** @description First and last output, at most 16 KiB. */
            output_tail: string;
            /** @description How it went. */
            status: components["schemas"]["GateStatus"];
        };
        /** @description One gate of the newest run at the head. */
        GateShape: {
            command: string;
            commit: string;
            duration_ms: number;
            output_tail: string;
            status: components["schemas"]["GateStatus"];
        };
        /** @enum {string} */
        GateStatus: "passed" | "failed" | "timed_out";
        GetAgent: {
            /** @enum {string} */
            role: "polecat" | "refinery" | "mayor";
        };
        /** @description A git credential; never logged. */
        GitCredentials: {
            /** @description Its end, when it has one. */
            expires_at: string | null;
            /** @description Password or token. */
            password: string;
            /** @description User name. */
            username: string;
        };
        GitToken: {
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            expires_at: string | null;
            token: string;
        };
        Health: {
            status: string;
        };
        Heard: {
            heartbeat: boolean;
        };
        Heartbeat: {
            activeTools?: string[] | null;
            containerInstanceId?: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            lastEventAt?: string | null;
            status?: string | null;
        };
        /** @description Reply of [`Heartbeat`]. */
        HeartbeatReply: {
            /** @description Newest settings. */
            config_version: number;
            /** @description The town drains; a new instance answers with it. */
            drainNonce?: string | null;
            /**
             * @description Sessions whose token ends soon.
             * @default []
             */
            expiring: components["schemas"]["Ref"][];
            /**
             * @description Sessions whose assignment is over.
             * @default []
             */
            stop: components["schemas"]["Ref"][];
            /**
             * @description Sessions whose budget is reached.
             * @default []
             */
            wrap_up: components["schemas"]["Ref"][];
        };
        Heeded: {
            success: boolean;
        };
        HookBead: {
            bead_id: string;
        };
        /** @description Reply of `POST A/hook`. */
        Hooked: {
            /** @description The queued assignment. */
            assignment_id: string;
            /** @description Its fencing number. */
            epoch: number;
            /** @description Always true. */
            hooked: boolean;
        };
        /** @description One field that failed validation. */
        Issue: {
            /** @description What is wrong. */
            code: components["schemas"]["IssueCode"];
            /** @description One sentence for people. */
            message: string;
            /** @description Where: keys and indexes from the body's root. */
            path: string[];
        };
        /** @enum {string} */
        IssueCode: "required" | "invalid_type" | "invalid_enum" | "invalid_string" | "too_small" | "too_big" | "unrecognized_key" | "custom";
        /** @enum {string} */
        ItemStatus: "applied" | "duplicate" | "stale" | "rejected";
        JudgeBranch: {
            commit?: string | null;
            feedback?: string | null;
            files?: string[] | null;
            summary?: string | null;
            /** @enum {string} */
            verdict: "approve" | "request_changes" | "reject";
        };
        /** @description A verdict's effect. */
        Judged: {
            /** @description State of the review. */
            review_state: string;
            /** @description The work that answers requested changes. */
            rework_bead_id?: string | null;
            /** @description What was said. */
            verdict: components["schemas"]["Verdict"];
        };
        /** @enum {string} */
        Kind: "work" | "rework" | "review" | "landing" | "conflict" | "feedback" | "fixup" | "triage" | "mayor";
        /** @enum {string} */
        LandingState: "none" | "open" | "landed";
        /** @description Finished work of the rig that is near to the work at hand. */
        Learned: {
            bead_id: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            closed_at: string;
            outcome: string;
            review_feedback: string | null;
            summary: string;
            title: string;
        };
        /** @description A model gateway and its key; never logged. */
        LlmCredentials: {
            /** @description Key. */
            api_key: string;
            /** @description OpenAI-compatible base address, without `/chat/completions`. */
            base_url: string;
            /** @description Its end, when it has one. */
            expires_at: string | null;
            /** @description Organisation header, when the gateway wants one. */
            organization_id?: string | null;
        };
        LookAt: {
            context: string;
        };
        /** @description **Mail**. */
        Mail: {
            bead_id: string | null;
            body: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            delivered: boolean;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            delivered_at: string | null;
            from_agent_id: string;
            from_kind: components["schemas"]["MailParty"];
            from_name: string;
            id: string;
            reply_to: string | null;
            rig_id: string | null;
            subject: string;
            thread_id: string;
            to_agent_id: string | null;
            to_kind: components["schemas"]["MailParty"];
            to_name: string;
        };
        /** @enum {string} */
        MailParty: "agent" | "user" | "mayor" | "system";
        MailSent: {
            mail_id: string;
            sent: boolean;
        };
        Marked: {
            marked: boolean;
        };
        MayorAnswer: {
            agentId: string;
            messageId?: string | null;
            sessionStatus: components["schemas"]["SessionStatus"];
        };
        MayorCompleted: {
            agentId?: string | null;
            reason?: string | null;
            status: string;
        };
        MayorId: {
            agentId: string;
            model: string;
            smallModel: string;
            success: boolean;
        };
        /** @description **MayorMessage**. */
        MayorMessage: {
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            at: string;
            author: string | null;
            id: string;
            parts: components["schemas"]["MessagePart"][];
            role: string;
            state: string;
        };
        /** @description The mayor's session. */
        MayorSession: {
            agentId: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            lastActivityAt: string | null;
            sessionId: string | null;
            status: components["schemas"]["SessionStatus"];
        };
        MayorSling: {
            allow_duplicate?: boolean | null;
            body?: string | null;
            budget_usd?: number | null;
            depends_on?: string[] | null;
            held?: boolean | null;
            labels?: string[] | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            model?: string | null;
            parent_bead_id?: string | null;
            /** @enum {string|null} */
            priority?: "low" | "medium" | "high" | "critical" | null;
            rig_id: string;
            title: string;
        };
        /** @description **MayorStatus**. */
        MayorStatus: {
            agentId: string;
            configured: boolean;
            error: components["schemas"]["Failure"] | null;
            model: string | null;
            modelPending: unknown;
            modelReason: string | null;
            session: components["schemas"]["MayorSession"] | null;
            townId: string;
            wait: components["schemas"]["Wait"] | null;
        };
        /** @description Resident memory and its limit, in bytes. */
        Memory: {
            /** @description Limit of the container or the machine. */
            limit_bytes: number;
            /** @description Resident bytes. */
            rss_bytes: number;
        };
        /** @description **MergeQueue**. */
        MergeQueue: {
            activity?: components["schemas"]["Event"][] | null;
            in_flight: components["schemas"]["MergeQueueItem"][];
            needs_attention: components["schemas"]["MergeQueueItem"][];
        };
        /** @description **MergeQueueItem**. */
        MergeQueueItem: {
            actions: string[];
            agent: components["schemas"]["AgentName"] | null;
            convoy: components["schemas"]["ConvoyName"] | null;
            dismissed: boolean;
            mr_bead: components["schemas"]["Bead"];
            reason: components["schemas"]["Failure"] | null;
            review: components["schemas"]["ReviewShape"];
            rig: components["schemas"]["RigName"];
            source_bead: components["schemas"]["Bead"] | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            stale_since: string | null;
        };
        /** @enum {string} */
        MergeStrategy: "direct" | "pr";
        /** @description What a message is made of, for the API document; parts are passed on as they were made. */
        MessagePart: {
            text: string;
            /** @constant */
            type: "text";
        } | {
            error?: string | null;
            refs: components["schemas"]["MessageRef"][];
            state: components["schemas"]["ToolState"];
            title: string;
            tool: string;
            /** @constant */
            type: "tool";
        };
        /** @description What a tool of the mayor touched. */
        MessageRef: {
            id: string;
            kind: components["schemas"]["RefKind"];
            rig_id?: string | null;
        };
        MessageSent: {
            message_id: string;
        };
        /** @description What this deployment is. */
        Meta: {
            /** @description Commit that it was built of. */
            commit: string;
            /** @description What it offers. */
            features: components["schemas"]["Features"];
            /** @description The table of api.md 1.3. */
            limits: unknown;
            /** @description Number of the conversation with runtimes. */
            protocol: number;
            /** @description Whether this is a development deployment. */
            test_mode: boolean;
            /** @description Version of the Worker. */
            version: string;
        };
        /** @description **Metrics**. */
        Metrics: {
            buckets: components["schemas"]["Bucket"][];
            by_rig: {
                [key: string]: number;
            };
            by_type: {
                [key: string]: number;
            };
            durations: components["schemas"]["Durations"];
        };
        MintedTicket: {
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            expires_at: string;
            ticket: string;
            url: string;
        };
        MintTicket: {
            agent_id?: string | null;
            /** @enum {string} */
            purpose: "town_events" | "agent_stream" | "status_ws" | "pty";
        };
        ModelCatalogue: {
            default_profile: string;
            fallback: string;
            profiles: components["schemas"]["ProfileShown"][];
            small_fallback: string;
            version: number;
        };
        ModelOfRun: {
            assignment_id: string;
            model: string | null;
            small_model: string | null;
        };
        ModelSlot: {
            label: string | null;
            model: string;
            role: components["schemas"]["SlotRole"];
        };
        /** @description **Molecule**. */
        Molecule: {
            bead_id: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            current_step: number;
            currentStep: number;
            formula: components["schemas"]["Formula"];
            id: string;
            moleculeId: string;
            status: string;
            totalSteps: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            updated_at: string;
        };
        /** @description **MoleculeStep**: the molecule with its current step, which stands at top level as well. */
        MoleculeStep: {
            currentStep: number;
            instructions: string;
            molecule: components["schemas"]["Molecule"];
            moleculeId: string;
            status: string;
            step: components["schemas"]["CurrentStep"];
            title: string;
            totalSteps: number;
        };
        NameBead: {
            bead_id: string;
            convoy_id?: string | null;
        };
        NewBead: {
            body?: string | null;
            budget_usd?: number | null;
            held?: boolean | null;
            labels?: string[] | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            model?: string | null;
            parent_bead_id?: string | null;
            /** @enum {string|null} */
            priority?: "low" | "medium" | "high" | "critical" | null;
            title: string;
        };
        NewBeadOfRig: {
            body?: string | null;
            budget_usd?: number | null;
            depends_on?: string[] | null;
            held?: boolean | null;
            labels?: string[] | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            model?: string | null;
            parent_bead_id?: string | null;
            /** @enum {string|null} */
            priority?: "low" | "medium" | "high" | "critical" | null;
            title: string;
            /** @enum {string} */
            type: "issue" | "merge_request" | "molecule";
        };
        NewEscalation: {
            agent_id?: string | null;
            bead_id?: string | null;
            body?: string | null;
            category?: string | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            /** @enum {string|null} */
            priority?: "low" | "medium" | "high" | "critical" | null;
            /** @enum {string|null} */
            severity?: "low" | "medium" | "high" | "critical" | null;
            title: string;
        };
        NewMolecule: {
            bead_id: string;
            formula?: {
                steps: {
                    instructions: string;
                    title: string;
                }[];
            } | null;
        };
        NewRig: {
            default_branch?: string | null;
            git_url: string;
            kilocode_token?: string | null;
            name: string;
            platform_integration_id?: string | null;
            purpose?: string | null;
            target_branch?: string | null;
            town_id?: string | null;
        };
        NewTown: {
            config?: {
                [key: string]: unknown;
            } | null;
            name: string;
            org_id?: string | null;
        };
        Note: {
            note?: string | null;
        };
        /** @description **Nudge**. */
        Nudge: {
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            expires_at: string | null;
            message: string;
            mode: components["schemas"]["NudgeMode"];
            nudge_id: string;
            priority: components["schemas"]["NudgePriority"];
            source: string;
        };
        Nudged: {
            nudge_id: string;
        };
        NudgeDelivered: {
            nudge_id: string;
        };
        /** @enum {string} */
        NudgeMode: "immediate" | "wait-idle" | "queue";
        /** @enum {string} */
        NudgePriority: "normal" | "urgent";
        /** @description A step that is still to be done. */
        OpenStep: {
            /** @description Place in the molecule, from 0. */
            index: number;
            /** @description What to do. */
            instructions: string;
            /** @description One line. */
            title: string;
        };
        /** @description Membership of an organisation. */
        Org: {
            /** @description The organisation. */
            org_id: string;
            /** @description What the person is there. */
            role: components["schemas"]["OrgRole"];
        };
        /** @enum {string} */
        OrgRole: "owner" | "member" | "billing_manager";
        /** @enum {string} */
        Outcome: "unset" | "wins" | "shadowed";
        /** @description What became of one outcome. */
        OutcomeResult: {
            /** @description Why, when it was not applied. */
            code?: string | null;
            /** @description The outcome. */
            key: string;
            /** @description What became of it. */
            status: components["schemas"]["ItemStatus"];
        };
        /** @description Reply of [`Outcomes`]. */
        OutcomesReply: {
            /** @description One per outcome. */
            results: components["schemas"]["OutcomeResult"][];
        };
        PatchBead: {
            body?: string | null;
            budget_usd?: number | null;
            depends_on?: string[] | null;
            labels?: string[] | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            model?: string | null;
            /** @enum {string|null} */
            priority?: "low" | "medium" | "high" | "critical" | null;
            rig_id?: string | null;
            /** @enum {string|null} */
            status?: "open" | "in_progress" | "in_review" | "closed" | "failed" | null;
            title?: string | null;
        };
        PatchConvoy: {
            budget_usd?: number | null;
            feature_branch?: string | null;
            /** @enum {string|null} */
            merge_mode?: "review-then-land" | "review-and-merge" | null;
            title?: string | null;
        };
        PatchRig: {
            default_branch?: string | null;
            name?: string | null;
            purpose?: string | null;
            target_branch?: string | null;
        };
        /** @description What patrol has to say about agents. */
        PatrolCounts: {
            guppEscalations: number;
            guppWarnings: number;
            orphanedHooks: number;
            stalledAgents: number;
        };
        PauseTown: {
            reason?: string | null;
            stop_running?: boolean | null;
        };
        /** @description Half, and nearly all, took no longer; none when nothing ended. */
        Percentiles: {
            p50: number | null;
            p95: number | null;
        };
        PersonsVerdict: {
            feedback?: string | null;
            /** @enum {string} */
            verdict: "approve" | "request_changes" | "reject";
        };
        /** @enum {string} */
        Phase: "queued" | "starting" | "running" | "finishing" | "ended";
        /** @description Work that this work waited for. */
        Predecessor: {
            bead_id: string;
            branch: string | null;
            summary: string;
            title: string;
        };
        /** @description An earlier judgement. */
        PreviousRound: {
            /** @description When. */
            at: string;
            /** @description What was asked for. */
            feedback: string;
        };
        /** @description **PrimeContext**. */
        PrimeContext: {
            agent: components["schemas"]["Agent"];
            assignment: components["schemas"]["Assignment"] | null;
            convoy_context: unknown;
            custom_instructions: string | null;
            gates: string[];
            history: components["schemas"]["Learned"][];
            hooked_bead: components["schemas"]["Bead"] | null;
            open_beads: components["schemas"]["Bead"][];
            pr_conflict_context: unknown;
            pr_fixup_context: unknown;
            predecessors: components["schemas"]["Predecessor"][];
            review_context: components["schemas"]["ReviewContext"] | null;
            revision: string;
            rework_context: components["schemas"]["ReworkContext"] | null;
            steps: components["schemas"]["OpenStep"][];
            triage_context: unknown;
            undelivered_mail: components["schemas"]["Mail"][];
        };
        /** @enum {string} */
        Priority: "low" | "medium" | "high" | "critical";
        ProfileShown: {
            description: string;
            name: string;
            slots: components["schemas"]["ModelSlot"][];
            small_model: string;
            title: string;
        };
        Pty: {
            cols: number;
            id: string;
            rows: number;
            status: string;
            title: string;
        };
        Reason: {
            reason?: string | null;
        };
        ReassignBead: {
            agent_id?: string | null;
        };
        /** @description A row of the feed in one line. */
        RecentEvent: {
            message: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            time: string;
            type: string;
        };
        /** @description Names one session: `{rig_id, agent_id, assignment_id, epoch}`. */
        Ref: {
            /** @description Who. */
            agent_id: string;
            /** @description Identity of the session. */
            assignment_id: string;
            /** @description Fencing number. */
            epoch: number;
            /** @description Rig, or the mayor's literal. */
            rig_id: string;
        };
        /** @enum {string} */
        RefKind: "bead" | "convoy" | "agent" | "rig";
        RegisterAgent: {
            identity: string;
            name: string;
            /** @enum {string} */
            role: "polecat" | "refinery" | "mayor";
        };
        Registered: {
            registered: number;
        };
        /** @description Reply of [`Register`]. */
        RegisterReply: {
            /**
             * @description What this instance shall run; information only.
             * @default []
             */
            assignments: components["schemas"]["Ref"][];
            /** @description Settings. */
            config: components["schemas"]["RuntimeConfig"];
            /** @description Version of `config`. */
            config_version: number;
            /** @description Time between heartbeats. */
            heartbeat_interval_ms: number;
            /**
             * @description What it shall end.
             * @default []
             */
            stop: components["schemas"]["Ref"][];
        };
        RegistryEntry: {
            agentId: string;
        };
        RenameTown: {
            name: string;
        };
        ReplyEscalation: {
            acknowledge?: boolean | null;
            message: string;
            retry_bead?: boolean | null;
        };
        RequestChanges: {
            feedback: string;
            files?: string[] | null;
        };
        Reset: {
            reset: boolean;
        };
        ResetBreaker: {
            rig_id?: string | null;
        };
        /** @description The answer: which model, and why. */
        Resolution: {
            /** @description The sentence shown to people. */
            because: string;
            /** @description The catalogue that was asked. */
            catalogue_version: number;
            /** @description The label that it matched. */
            label?: components["schemas"]["RoutableLabel"] | null;
            /** @description The model to ask for. */
            model: string;
            /** @description The rule that won. */
            rule: components["schemas"]["Rule"];
            /** @description The model of titles and other small tasks. */
            small_model: string;
            /** @description The same for the small model. */
            small_trace: components["schemas"]["TraceEntry"][];
            /** @description Where the winning value is written down. */
            source: components["schemas"]["Source"];
            /** @description Every candidate that applies, in order of precedence; exactly one wins. */
            trace: components["schemas"]["TraceEntry"][];
        };
        /** @description The answer: which model, and why. */
        ResolvedModel: {
            /** @description The sentence shown to people. */
            because: string;
            /** @description The catalogue that was asked. */
            catalogue_version: number;
            config_version?: number | null;
            /** @description The label that it matched. */
            label?: components["schemas"]["RoutableLabel"] | null;
            last: components["schemas"]["ModelOfRun"] | null;
            /** @description The model to ask for. */
            model: string;
            /** @description The rule that won. */
            rule: components["schemas"]["Rule"];
            running: components["schemas"]["ModelOfRun"] | null;
            /** @description The model of titles and other small tasks. */
            small_model: string;
            /** @description The same for the small model. */
            small_trace: components["schemas"]["TraceEntry"][];
            /** @description Where the winning value is written down. */
            source: components["schemas"]["Source"];
            /** @description Every candidate that applies, in order of precedence; exactly one wins. */
            trace: components["schemas"]["TraceEntry"][];
        };
        ResolveModel: {
            bead_id?: string | null;
            draft?: {
                [key: string]: unknown;
            } | null;
            labels?: string[] | null;
            model?: string | null;
            rig_id?: string | null;
            role?: string | null;
        };
        ResolveTriage: {
            action: string;
            agent_id?: string | null;
            guidance?: string | null;
            resolution_notes: string;
            triage_request_bead_id: string;
        };
        RetryBead: {
            keep_branch?: boolean | null;
            model?: string | null;
            note?: string | null;
        };
        /** @description Its review, in short. */
        Review: {
            branch: string;
            commit: string | null;
            merge_commit: string | null;
            mr_bead_id: string;
            round: number;
            rounds_max: number;
            state: components["schemas"]["ReviewState"];
            strategy: components["schemas"]["MergeStrategy"];
            target_branch: string;
        };
        /** @description What a refinery judges. */
        ReviewContext: {
            branch: string;
            commit: string | null;
            gates: components["schemas"]["GateResult"][];
            mr_bead_id: string;
            pr_url: string | null;
            previous_rounds: components["schemas"]["PreviousRound"][];
            source_bead: components["schemas"]["Bead"] | null;
            state: components["schemas"]["ReviewState"];
            target_branch: string;
        };
        ReviewEnded: {
            commit_sha?: string | null;
            message: string;
            /** @enum {string} */
            status: "merged" | "failed" | "conflict";
        };
        /** @description `review` of a **MergeQueueItem**, and of **Explain**. */
        ReviewShape: {
            awaiting_approval: boolean;
            branch: string;
            checks: components["schemas"]["Checks"] | null;
            commit: string | null;
            gates: components["schemas"]["GateShape"][];
            merge_commit: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            merges_at: string | null;
            pr_url: string | null;
            round: number;
            rounds_max: number;
            state: string;
            target_branch: string;
        };
        /** @enum {string} */
        ReviewState: "queued" | "reviewing" | "changes_requested" | "reworking" | "approved" | "merging" | "pr_open" | "merged" | "rejected";
        Revoked: {
            revoked: boolean;
        };
        ReworkAsked: {
            rework_bead_id: string | null;
        };
        /** @description What a rework answers. */
        ReworkContext: {
            branch: string;
            feedback: string;
            files: string[];
            mr_bead_id: string;
            original_bead_title: string;
            target_branch: string;
        };
        /** @description **Rig**. */
        Rig: {
            access: components["schemas"]["RigAccess"];
            counts: components["schemas"]["RigCounts"];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            default_branch: string;
            git_url: string;
            id: string;
            name: string;
            platform_integration_id: string | null;
            purpose: string | null;
            target_branch: string;
            town_id: string;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            updated_at: string;
            version: number;
        };
        /** @description What the last look at a repository found. */
        RigAccess: {
            /**
             * @description Whether it takes pushes.
             * @default null
             */
            can_push: boolean | null;
            /**
             * @description When.
             * @default null
             */
            checked_at: string | null;
            /**
             * @description Why not, in a sentence.
             * @default null
             */
            message: string | null;
            /** @description Whether it can be read. */
            state: components["schemas"]["RigAccessState"];
        };
        /** @enum {string} */
        RigAccessState: "unknown" | "checking" | "ok" | "failed";
        /** @description Counts of a rig. */
        RigCounts: {
            failed: number;
            in_progress: number;
            in_review: number;
            open: number;
            slots: number;
            slots_used: number;
            working_agents: number;
        };
        /** @description A rig in a list of other things. */
        RigName: {
            id: string;
            name: string;
        };
        RigSettings: Record<string, never>;
        RigWaits: {
            name: string | null;
            rig_id: string;
            slots: number;
            slots_used: number;
            waits: components["schemas"]["Wait"][];
        };
        /** @enum {string} */
        RoutableLabel: "gt:pr-conflict" | "gt:pr-feedback" | "gt:pr-fixup" | "gt:rework" | "gt:triage";
        /** @enum {string} */
        Rule: "bead" | "override_role_label_rig" | "override_role_label" | "profile_role_label" | "override_role_rig" | "rig_role" | "override_role" | "town_role" | "rig_default" | "profile_role" | "town_default" | "fallback" | "override_small" | "profile_small" | "town_small" | "fallback_small";
        /** @description What a town's sessions have in common; sent with attach, on change, and in the reply of register. */
        RuntimeConfig: {
            /** @description Author for all commits; absent: each agent's own. */
            author: components["schemas"]["Author"] | null;
            /** @description Whether the agent is named as co-author when `author` is set. */
            coauthor: boolean;
            /** @description Grows with every change; an older one is ignored. */
            config_version: number;
            /** @description Session slots of the town. */
            max_sessions: number;
            /** @description The town's repositories. */
            rigs: components["schemas"]["RuntimeRig"][];
            /** @description Grows with every change of a secret; a higher one empties the credential caches. */
            secrets_version: number;
        };
        /** @description A repository of [`RuntimeConfig`]. */
        RuntimeRig: {
            /** @description Default branch. */
            default_branch: string;
            /** @description Where it lives. */
            git_url: string;
            /** @description Its name. */
            name: string;
            /**
             * @description Allowed `git push` flags (api.md 5.3).
             * @default []
             */
            push_flags: string[];
            /** @description The rig. */
            rig_id: string;
            /** @description Branch that work is merged into. */
            target_branch: string;
        };
        /** @description **RuntimeStatus**. */
        RuntimeStatus: {
            capabilities: string[];
            config_version: number;
            error: components["schemas"]["Failure"] | null;
            instance_id: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            last_heartbeat_at: string | null;
            memory: components["schemas"]["Memory"];
            protocol: number | null;
            restarts_30m: number;
            sessions: number;
            sessions_max: number;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            since: string | null;
            state: string;
            version: string | null;
        };
        SavedWork: {
            agent_name: string;
            branch: string;
            commit?: string | null;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            saved_at: string;
        };
        SayToAgent: {
            prompt: string;
        };
        SayToMayor: {
            message: string;
            uiContext?: string | null;
        };
        SendMail: {
            body: string;
            from_agent_id?: string | null;
            reply_to?: string | null;
            rig_id?: string | null;
            subject: string;
            to_agent_id: string;
        };
        SendNudge: {
            message: string;
            /** @enum {string|null} */
            mode?: "immediate" | "wait-idle" | "queue" | null;
            /** @enum {string|null} */
            priority?: "normal" | "urgent" | null;
            rig_id?: string | null;
            target_agent_id?: string | null;
            ttl_s?: number | null;
        };
        Sent: {
            sent: boolean;
        };
        /** @description Who is signed in. */
        Session: {
            /** @description End of the credential. */
            expires_at: string;
            /** @description Their organisations. */
            orgs: components["schemas"]["Org"][];
            /** @description The person. */
            user: components["schemas"]["User"];
        };
        SessionEnded: {
            reason?: string | null;
            status: string;
        };
        /** @enum {string} */
        SessionStatus: "idle" | "active" | "starting";
        SetBeadStatus: {
            agent_id?: string | null;
            /** @enum {string} */
            status: "open" | "in_progress" | "in_review" | "closed" | "failed";
        };
        SetCheckpoint: {
            data: unknown;
        };
        SetStatus: {
            message: string;
        };
        /** @enum {string} */
        Severity: "low" | "medium" | "high" | "critical";
        ShowUi: {
            action?: {
                /** @enum {string} */
                type: "open_bead_drawer" | "open_convoy_drawer" | "open_agent_drawer" | "highlight_bead" | "navigate";
            } | null;
        };
        SignedOut: {
            signed_out: boolean;
        };
        SignIn: {
            token: string;
        };
        SlingBatch: {
            allow_duplicate?: boolean | null;
            budget_usd?: number | null;
            convoy_title: string;
            /** @enum {string|null} */
            merge_mode?: "review-then-land" | "review-and-merge" | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            parallel?: boolean | null;
            rig_id?: string | null;
            staged?: boolean | null;
            tasks: {
                body?: string | null;
                budget_usd?: number | null;
                depends_on?: unknown[] | null;
                held?: boolean | null;
                labels?: string[] | null;
                metadata?: {
                    [key: string]: unknown;
                } | null;
                model?: string | null;
                parent_bead_id?: string | null;
                /** @enum {string|null} */
                priority?: "low" | "medium" | "high" | "critical" | null;
                rig_id?: string | null;
                title: string;
            }[];
        };
        SlingPlan: {
            body?: string | null;
            budget_usd?: number | null;
            convoy?: {
                budget_usd?: number | null;
                /** @enum {string|null} */
                merge_mode?: "review-then-land" | "review-and-merge" | null;
                metadata?: {
                    [key: string]: unknown;
                } | null;
                parallel?: boolean | null;
                staged?: boolean | null;
                title: string;
            } | null;
            depends_on?: unknown[] | null;
            held?: boolean | null;
            labels?: string[] | null;
            metadata?: {
                [key: string]: unknown;
            } | null;
            model?: string | null;
            parallel?: boolean | null;
            parent_bead_id?: string | null;
            /** @enum {string|null} */
            priority?: "low" | "medium" | "high" | "critical" | null;
            rig_id?: string | null;
            tasks?: {
                body?: string | null;
                budget_usd?: number | null;
                depends_on?: unknown[] | null;
                held?: boolean | null;
                labels?: string[] | null;
                metadata?: {
                    [key: string]: unknown;
                } | null;
                model?: string | null;
                parent_bead_id?: string | null;
                /** @enum {string|null} */
                priority?: "low" | "medium" | "high" | "critical" | null;
                rig_id?: string | null;
                title: string;
            }[] | null;
            title?: string | null;
        };
        /** @description **SlingResult**. */
        SlingResult: {
            /** @description In the order of the tasks. */
            beads: components["schemas"]["SlungBead"][];
            /** @description The convoy that the tasks form. */
            convoy: components["schemas"]["Convoy"] | null;
        };
        /** @enum {string} */
        SlotRole: "mayor" | "polecat" | "refinery" | "small";
        /** @description Session slots. */
        Slots: {
            /** @description In all. */
            total: number;
            /** @description Granted. */
            used: number;
        };
        /** @description One slung task: who has it with which model, or why nobody. */
        SlungBead: {
            /** @description Who has it. */
            agent: components["schemas"]["Agent"] | null;
            /** @description The work. */
            bead: components["schemas"]["Bead"];
            /** @description Which model it gets, and why. */
            model: components["schemas"]["Resolution"] | null;
            /** @description Why nobody has it. */
            wait: components["schemas"]["Wait"] | null;
        };
        SlungConvoy: {
            beads: components["schemas"]["SlungBead"][];
            convoy: components["schemas"]["Convoy"];
        };
        /** @description **Snapshot**. */
        Snapshot: {
            agents: components["schemas"]["Agent"][];
            beads: components["schemas"]["Bead"][];
            convoys: components["schemas"]["Convoy"][];
            escalations: components["schemas"]["Escalation"][];
            events: components["schemas"]["Event"][];
            mayor: components["schemas"]["MayorStatus"];
            merge_queue: components["schemas"]["MergeQueue"];
            rigs: components["schemas"]["Rig"][];
            seq: number;
            status: components["schemas"]["TownStatus"];
            town: components["schemas"]["Town"];
            truncated: boolean;
        };
        /** @enum {string} */
        Source: "bead" | "override" | "profile" | "rig" | "town" | "builtin";
        SpentGroup: {
            assignments: number;
            cost_usd: number | null;
            key: string;
            label: string;
            tokens: components["schemas"]["Tokens"];
        };
        StartAgent: {
            agentId: string;
        };
        Started: {
            agentId: string;
            assignment_id: string;
            epoch: number;
        };
        StartedConvoy: {
            beads: components["schemas"]["SlungBead"][];
            convoy: components["schemas"]["Convoy"];
        };
        /** @enum {string} */
        Step: "accepted" | "cloning" | "worktree" | "booting";
        /** @enum {string} */
        StepState: "open" | "closed";
        StopContainer: {
            force?: boolean | null;
        };
        Stopped: {
            stopped: boolean;
        };
        Stored: {
            stored: boolean;
        };
        SubmitBranch: {
            agent_id: string;
            bead_id: string;
            branch: string;
            commit?: string | null;
            pr_url?: string | null;
            summary?: string | null;
        };
        Submitted: {
            mr_bead_id: string;
            submitted: boolean;
        };
        SuggestedModel: {
            id: string;
            name: string;
            provider: string;
        };
        /** @description Why a task is not moving, as its rig says. */
        TaskWait: {
            /** @description The agent that the answer names. */
            agent_id: string | null;
            /** @description The bead that the answer names. */
            bead_id: string;
            /** @description Machine word. */
            code: string;
            /** @description One sentence. */
            message: string;
            /** @description What it is about. */
            scope: string;
            /** @description Since when this is the answer. */
            since: string;
            /** @description When time alone ends it. */
            until: string | null;
        };
        /** @description Tokens as the API counts them (api.md 1.3). */
        Tokens: {
            /**
             * @description Prompt tokens read from the provider's cache.
             * @default 0
             */
            cache_read: number;
            /**
             * @description Prompt tokens written to the provider's cache.
             * @default 0
             */
            cache_write: number;
            /**
             * @description Prompt tokens that were neither read from nor written to a cache.
             * @default 0
             */
            input: number;
            /**
             * @description Completion tokens.
             * @default 0
             */
            output: number;
        };
        Told: {
            ok: boolean;
        };
        /** @enum {string} */
        ToolState: "pending" | "running" | "completed" | "error";
        TotalBeads: {
            total_beads: number;
        };
        Totals: {
            assignments: number;
            cost_usd: number | null;
            tokens: components["schemas"]["Tokens"];
        };
        /** @description What it cost. */
        Totals2: {
            active_ms: number;
            cost_usd: number | null;
            tokens: components["schemas"]["Tokens"];
            waiting_ms: number;
        };
        /** @description **Town**. */
        Town: {
            counts: components["schemas"]["TownCounts"];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            created_at: string;
            created_by_user_id?: string | null;
            id: string;
            name: string;
            owner_org_id?: string | null;
            owner_user_id: string | null;
            paused: boolean;
            role: components["schemas"]["TownRole"];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            updated_at: string;
            version: number;
        };
        /** @description Counts of a town. */
        TownCounts: {
            escalations: number;
            needs_attention: number;
            open_beads: number;
            rigs: number;
            working_agents: number;
        };
        TownExplain: {
            beads: components["schemas"]["BeadWaits"][];
            breakers: components["schemas"]["BreakerRow"][];
            rigs: components["schemas"]["RigWaits"][];
            waits: components["schemas"]["Wait"][];
        };
        /** @enum {string} */
        TownRole: "owner" | "member" | "admin";
        /** Town settings */
        TownSettings: {
            /**
             * Applied
             * @description How far the newest version has come.
             * @default null
             */
            readonly applied: unknown;
            budget?: {
                /**
                 * Tokens per task
                 * @description Tokens that one task and its children may use.
                 * @default null
                 */
                bead_tokens: number | null;
                /**
                 * Budget per task
                 * @description US dollars that one task and its children may cost.
                 * @default null
                 */
                bead_usd: number | null;
                /**
                 * Tokens per convoy
                 * @description Tokens that one convoy may use.
                 * @default null
                 */
                convoy_tokens: number | null;
                /**
                 * Budget per convoy
                 * @description US dollars that one convoy may cost.
                 * @default null
                 */
                convoy_usd: number | null;
                /**
                 * Tokens per day
                 * @description Tokens that the town may use per day (UTC).
                 * @default null
                 */
                town_daily_tokens: number | null;
                /**
                 * Budget per day
                 * @description US dollars that the town may cost per day (UTC).
                 * @default null
                 */
                town_daily_usd: number | null;
                /**
                 * Warn at
                 * @description Share of a budget, in percent, at which people are told once.
                 * @default 80
                 */
                warn_percent: number | null;
            };
            container?: {
                /**
                 * Sleep after
                 * @description Quiet minutes before the container is stopped.
                 * @default 10
                 */
                sleep_after_minutes: number | null;
            };
            /**
             * Convoy merge mode
             * @description Whether a convoy lands at once or task by task, unless the request says.
             * @default review-then-land
             * @enum {unknown}
             */
            convoy_merge_mode: "review-then-land" | "review-and-merge" | null;
            /**
             * Created by
             * @description The person who created the town.
             * @default null
             */
            readonly created_by_user_id: unknown;
            custom_instructions?: {
                /**
                 * Instructions for the mayor
                 * @description Last section of the mayor's prompt, from its next session on.
                 * @default null
                 */
                mayor: string | null;
                /**
                 * Instructions for polecats
                 * @description Last section of the coding agents' prompt.
                 * @default null
                 */
                polecat: string | null;
                /**
                 * Instructions for the refinery
                 * @description Last section of the reviewers' prompt.
                 * @default null
                 */
                refinery: string | null;
            };
            /**
             * Default model
             * @description For any role without anything better; not used under a named profile.
             * @default null
             */
            default_model: string | null;
            /**
             * No co-author
             * @description Agents are not named as co-authors.
             * @default false
             */
            disable_ai_coauthor: boolean | null;
            /**
             * Environment
             * @description Environment variables of agents' tools; the values are secrets.
             * @default {}
             */
            env_vars: {
                [key: string]: string | null;
            };
            git_auth?: {
                /**
                 * GitHub token
                 * @description Used for repositories on github.com.
                 * @default null
                 */
                github_token: string | null;
                /**
                 * GitLab address
                 * @description The town's own GitLab.
                 * @default null
                 */
                gitlab_instance_url: string | null;
                /**
                 * GitLab token
                 * @description Used for repositories of the GitLab below, or gitlab.com.
                 * @default null
                 */
                gitlab_token: string | null;
                /**
                 * GitHub App installation
                 * @description Mints short-lived tokens of the deployment's GitHub App.
                 * @default null
                 */
                platform_integration_id: string | null;
            };
            /**
             * Author e-mail
             * @description Author's address of commits in place of the agent's.
             * @default null
             */
            git_author_email: string | null;
            /**
             * Author name
             * @description Author of commits in place of the agent.
             * @default null
             */
            git_author_name: string | null;
            /**
             * Token for gh
             * @description For gh and pull-request calls, before the other GitHub credentials.
             * @default null
             */
            github_cli_pat: string | null;
            /**
             * Key of the model endpoint
             * @description Used by the runtime's model proxy; agents never see it.
             * @default null
             */
            kilocode_token: string | null;
            llm?: {
                /**
                 * Model endpoint
                 * @description An OpenAI-compatible endpoint; changing it without a key forgets the stored key.
                 * @default null
                 */
                base_url: string | null;
            };
            /**
             * Dispatch attempts
             * @description Failures of one kind before a task fails.
             * @default 5
             */
            max_dispatch_attempts: number | null;
            /**
             * Feedback rounds
             * @description Rounds of pull-request feedback before a person is asked.
             * @default 5
             */
            max_feedback_rounds: number | null;
            /**
             * Polecats per rig
             * @description Coding agents at work in one rig at a time, unless the rig says otherwise.
             * @default 2
             */
            max_polecats_per_rig: number | null;
            /**
             * Review rounds
             * @description Rounds of rework before a person is asked.
             * @default 5
             */
            max_review_rounds: number | null;
            /**
             * Sessions
             * @description Agents at work in the town at a time; the mayor is not counted.
             * @default 10
             */
            max_sessions: number | null;
            /**
             * Mayor may configure
             * @description The mayor may change the settings that concern its work.
             * @default true
             */
            mayor_may_configure: boolean | null;
            /**
             * Merge strategy
             * @description Merged by the runtime after green gates, or through a pull request.
             * @default direct
             * @enum {unknown}
             */
            merge_strategy: "direct" | "pr" | null;
            /**
             * Model overrides
             * @description Rules for a role, a label and a rig.
             * @default []
             */
            model_overrides: {
                /** @enum {unknown} */
                label?: "gt:pr-conflict" | "gt:pr-feedback" | "gt:pr-fixup" | "gt:rework" | "gt:triage";
                model: string;
                rig_id?: string;
                /** @enum {unknown} */
                role: "mayor" | "polecat" | "refinery" | "small";
            }[];
            /**
             * Model profile
             * @description The set of models that fills what is not set here.
             * @default custom
             */
            model_profile: string | null;
            /**
             * Organisation
             * @description The organisation that owns the town, if one does.
             * @default null
             */
            readonly organization_id: unknown;
            /**
             * Owner
             * @description The account that owns the town.
             * @default null
             */
            readonly owner_id: unknown;
            /**
             * Owner kind
             * @description Whether a person or an organisation owns the town.
             * @default null
             */
            readonly owner_type: unknown;
            /**
             * Owning user
             * @description The person who owns the town, if a person does.
             * @default null
             */
            readonly owner_user_id: unknown;
            refinery?: {
                /**
                 * Merge by itself
                 * @description Green work is merged without a person.
                 * @default true
                 */
                auto_merge: boolean | null;
                /**
                 * Merge delay
                 * @description Minutes of unbroken green before a pull request is merged; 0 at once, empty never.
                 * @default null
                 */
                auto_merge_delay_minutes: number | null;
                /**
                 * Resolve conflicts
                 * @description Merge conflicts become a task; off asks a person.
                 * @default true
                 */
                auto_resolve_merge_conflicts: boolean | null;
                /**
                 * Answer feedback
                 * @description Review comments and red checks become a task.
                 * @default true
                 */
                auto_resolve_pr_feedback: boolean | null;
                /**
                 * Code review
                 * @description The refinery reviews every branch; off leaves the gates and landing reviews.
                 * @default true
                 */
                code_review: boolean | null;
                /**
                 * Gate timeout
                 * @description Minutes for each gate; a gate that runs longer is red.
                 * @default 20
                 */
                gate_timeout_minutes: number | null;
                /**
                 * Gates
                 * @description Commands that must pass in a clean checkout of the exact commit before it is merged.
                 * @default []
                 */
                gates: string[] | null;
                /**
                 * Clean merges
                 * @description Merges are always clean.
                 * @default true
                 */
                readonly require_clean_merge: unknown;
                /**
                 * Requested changes
                 * @description Become a rework task, or comments on the pull request.
                 * @default rework
                 * @enum {unknown}
                 */
                review_mode: "rework" | "comments" | null;
            };
            role_models?: {
                /**
                 * Mayor
                 * @description The mayor's model.
                 * @default null
                 */
                mayor: string | null;
                /**
                 * Polecat
                 * @description The model of coding agents.
                 * @default null
                 */
                polecat: string | null;
                /**
                 * Refinery
                 * @description The model of reviews.
                 * @default null
                 */
                refinery: string | null;
            };
            /**
             * Small model
             * @description Titles and other small tasks of every agent.
             * @default null
             */
            small_model: string | null;
            /**
             * Stage convoys
             * @description New convoys wait for a start unless the request says otherwise.
             * @default false
             */
            staged_convoys_default: boolean | null;
            /**
             * Town memory
             * @description Lessons of earlier work are cited to agents.
             * @default true
             */
            town_memory: boolean | null;
            /**
             * Version
             * @description Grows with every change of this document.
             * @default null
             */
            readonly version: unknown;
        } & {
            [key: string]: unknown;
        };
        /** @description **TownStatus**: the snapshot frame of api.md 6.4. */
        TownStatus: {
            agents: components["schemas"]["AgentCounts"];
            alarm: components["schemas"]["AlarmStatus"];
            beads: components["schemas"]["BeadCounts"];
            breaker: components["schemas"]["BreakerStatus"];
            budget: components["schemas"]["BudgetRow"][];
            draining: boolean;
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            drainStartedAt: string | null;
            needsAttention: number;
            patrol: components["schemas"]["PatrolCounts"];
            paused: boolean;
            pauseReason: string | null;
            recentEvents: components["schemas"]["RecentEvent"][];
            /** @description Numbers of a tick, which this reconciler does not have: it plans whenever something happens. */
            reconciler: unknown;
            runtime: components["schemas"]["RuntimeStatus"] | null;
            seq: number;
            slots: components["schemas"]["Slots"];
        };
        /** @description One candidate and what became of it. */
        TraceEntry: {
            /** @description The label it asks for. */
            label?: components["schemas"]["RoutableLabel"] | null;
            /** @description What became of it. */
            outcome: components["schemas"]["Outcome"];
            /** @description The rig it is about. */
            rig_id?: string | null;
            /** @description The rule. */
            rule: components["schemas"]["Rule"];
            /** @description Its value; `null` when it has none. */
            value: string | null;
        };
        Unhooked: {
            unhooked: boolean;
        };
        Usage: {
            budget: components["schemas"]["BudgetRow"][];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            from: string;
            groups: components["schemas"]["SpentGroup"][];
            /** @description An instant: ISO 8601, UTC, milliseconds. */
            to: string;
            totals: components["schemas"]["Totals"];
        };
        /** @description A person. */
        User: {
            /** @description Address, when known. */
            email: string | null;
            /** @description Subject. */
            id: string;
            /** @description May read everything. */
            is_admin: boolean;
            /** @description Name, when known. */
            name: string | null;
        };
        /** @enum {string} */
        Verdict: "approve" | "request_changes" | "reject";
        /** @description **Wait**. */
        Wait: {
            /** @description The agent that the answer names. */
            agent_id: string | null;
            /** @description Another bead that the answer names, else the bead itself. */
            bead_id: string | null;
            /** @description Machine word of a closed list. */
            code: components["schemas"]["WaitCode"];
            /** @description One sentence for people. */
            message: string;
            /** @description What it is about. */
            scope: components["schemas"]["WaitScope"];
            /** @description Since when this is the answer. */
            since: string;
            /** @description When time alone ends it. */
            until: string | null;
        };
        /** @enum {string} */
        WaitCode: "held" | "staged" | "blocked" | "no_slot_rig" | "no_slot_town" | "backing_off" | "breaker_open" | "budget_reached" | "paused" | "draining" | "runtime_starting" | "runtime_unavailable" | "rig_not_ready" | "no_credentials" | "config_pending" | "agent_running" | "waiting_review" | "waiting_gates" | "waiting_checks" | "waiting_merge_delay" | "waiting_human" | "needs_decision";
        /** @enum {string} */
        WaitScope: "bead" | "agent" | "rig" | "town";
        /** @description Something that was accepted but deserves attention. */
        Warning: {
            /** @description What it is about. */
            code: components["schemas"]["WarningCode"];
            /** @description One sentence for people. */
            message: string;
            /** @description Where in the body. */
            path?: string | null;
        };
        /** @enum {string} */
        WarningCode: "ignored_field" | "partial" | "unknown_model" | "profile_set_to_custom" | "shadowed_by_profile";
        Written: {
            written: boolean;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
};
