import Dionysus
import DionysusConsumer
import Hummingbird

/// phobos_db_checkpoint's events API: its routes, parameters, shapes and statuses.
///
/// Unlike there, a failure is removed in the transaction that applies its message, and nonsense is answered with 422.
extension Endpoint {
    private static let filters: [Parameter] = [
        .integer("limit", "how many at most; 20 by default"), .integer("offset", "how many are left out"),
        .text("entity_id", "the id of what they are about"), .text("topic", "the full name of their topic"),
        .text("group_id", "their group"), .text("event_type", "what happened"),
    ]

    static let events: [Endpoint] = [
        Endpoint(method: .get, path: "/ping", surface: .open, role: .read, summary: "Answers PONG") { _ in
            .bytes(type: "text/plain; charset=utf-8", Array("PONG".utf8), maxAge: 0)
        },
        route(.get, "/v1/events", "Handled events, the newest first", filters) { call in
            let side = try call.consumer()
            guard let (filter, offset) = try filter(call, side) else { return .json(.array([])) }
            let found = try await side.database.recentEvents(of: side.settings.effectiveGroupID, filter, offset: offset)
            return .json(.array(found.map { $0.phobos(call.core.mask) }))
        },
        route(.get, "/v1/events/{id}", "A handled event") { call in .json(try await event(call).phobos(call.core.mask))
        },
        route(.post, "/v1/events/{id}/retry", "Handles an event once more", role: .operate) { call in
            let (side, event) = (try call.consumer(), try await event(call))
            return try await acknowledged(call, "events.retry", "event \(event.id)") {
                try await handleAgain(event.id, side.consumer, side, call.core)
            }
        },
        route(.get, "/v1/failures", "Messages that could not be applied, the newest first", filters) { call in
            let side = try call.consumer()
            guard let (filter, offset) = try filter(call, side) else { return .json(.array([])) }
            let selection = FailureSelection(
                group: side.settings.effectiveGroupID,
                topic: filter.topic,
                entityID: filter.entityID,
                type: filter.type
            )
            let found = try await side.database.recentFailures(selection, limit: filter.limit, offset: offset)
            return .json(.array(found.map { $0.phobos(group: side.settings.effectiveGroupID, call.core.mask) }))
        },
        route(.get, "/v1/failures/count", "How many messages could not be applied") { call in
            let side = try call.consumer()
            // However many programs ask, the failures are counted once in a while.
            if case .current(let count)? = await call.core.failureCount?.reading() {
                return .json(.object(["count": .integer(count)]))
            }
            let count = try await side.database.countFailures(of: side.settings.effectiveGroupID)
            return .json(.object(["count": .integer(count)]))
        },
        route(.get, "/v1/failures/{id}", "A message that could not be applied") { call in
            let side = try call.consumer()
            let group = side.settings.effectiveGroupID
            guard let id = Int64(call.path["id"] ?? ""),
                let failure = try await side.database.recentFailures(.init(group: group, id: id), limit: 1).first
            else { throw DionysusError(.notFound, "failure not found") }
            return .json(failure.phobos(group: group, call.core.mask))
        },
        route(.post, "/v1/failures/{id}/retry", "Applies a message once more", role: .operate) { call in
            let (list, id) = (try call.failures(), try await failure(call))
            return try await acknowledged(call, "failures.retry", "failure \(id)") {
                switch try await list.retry([id]).first {
                case .some(let retry) where retry.outcome == .applied: return nil
                case .some(let retry): return retry.error ?? "the message waits behind another of its key"
                case nil: return "failure not found"
                }
            }
        },
        route(.delete, "/v1/failures/{id}", "Deletes a failure", role: .operate) { call in
            let (list, id) = (try call.failures(), try await failure(call))
            return try await acknowledged(call, "failures.delete", "failure \(id)") {
                try await list.delete([id]).isEmpty ? "failure not found" : nil
            }
        },
    ]

    private static func route(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ summary: String,
        _ query: [Parameter] = [],
        role: ConsoleRole = .read,
        _ handle: @escaping Handler
    ) -> Endpoint {
        Endpoint(
            method: method,
            path: path,
            surface: .events,
            role: role,
            summary: summary,
            query: query,
            handle: handle
        )
    }

    /// The filter of a list; nil if it asks for another group, of which nothing is here.
    private static func filter(_ call: Call, _ side: ObservedSystem.ConsumerSide) throws -> (EventLogFilter, Int)? {
        if let group = call.query["group_id"], group != side.settings.effectiveGroupID { return nil }
        let filter = EventLogFilter(
            topic: call.query["topic"],
            entityID: call.query["entity_id"],
            type: call.query["event_type"],
            limit: Int(try call.query.integer("limit", in: 0...1000) ?? 20)
        )
        return (filter, Int(try call.query.integer("offset", in: 0...1_000_000_000) ?? 0))
    }

    private static func event(_ call: Call) async throws -> LoggedEvent {
        let side = try call.consumer()
        guard let id = Int64(call.path["id"] ?? ""),
            let event = try await side.database.loggedEvent(id, of: side.settings.effectiveGroupID)
        else { throw DionysusError(.notFound, "event not found") }
        return event
    }

    private static func failure(_ call: Call) async throws -> Int64 {
        guard let id = Int64(call.path["id"] ?? ""), try await call.failures().failure(id) != nil else {
            throw DionysusError(.notFound, "failure not found")
        }
        return id
    }

    /// Does something that is written down.
    /// - Parameter work: Does it, and tells what went wrong, if anything did.
    private static func acknowledged(
        _ call: Call,
        _ action: String,
        _ target: String,
        _ work: () async throws -> String?
    ) async throws -> Answer {
        guard let audit = call.core.replicaAudit else { throw DionysusError(.notFound, "not found") }
        let entry = try await audit.begin(action, by: call.identity.name, on: target, matched: 1)
        do {
            let problem = try await work()
            try await audit.finish(entry, problem ?? "acknowledged")
            await call.core.invalidate()
            if let problem {
                return .json(.object(["error": .bool(true), "message": .string(problem)]), .unprocessableContent)
            }
            return .json(.object(["acknowledged": .bool(true)]))
        } catch {
            try? await audit.finish(entry, "\(error)")
            return .json(.object(["error": .bool(true), "message": .string("\(error)")]), .unprocessableContent)
        }
    }

    private static func handleAgain(
        _ id: Int64,
        _ consumer: some Consumer,
        _ side: ObservedSystem.ConsumerSide,
        _ core: ConsoleCore
    ) async throws -> String? {
        let events = try await ConsumerEvents(
            consumer,
            database: side.database,
            settings: side.settings,
            instrumentation: core.system.instrumentation,
            logger: core.logger
        )
        switch try await events.retry([id]).first?.outcome {
        case .done?: return nil
        case .skipped?: return "a filter leaves the event out now"
        case .failed(let error)?: return error.description
        case .notFound?, nil: return "event not found"
        }
    }
}

extension LoggedEvent {
    /// The event in phobos_db_checkpoint's shape.
    fileprivate func phobos(_ mask: Mask) -> JSON {
        // What can't be read can't be masked, and a checksum tells whether a guess is right.
        let document = (try? JSON(parsing: Array(payload.utf8))) ?? .string(mask.isEmpty ? payload : Mask.hidden)
        let checksum: JSON = mask.isEmpty ? .string(Digest.md5(Array(payload.utf8))) : .null
        return .object([
            "id": .integer(id), "topic": .string(source.topic), "group_id": .string(group),
            "entity_id": .init(entityID),
            "event_time": .init(milliseconds: time), "event_type": .string(type), "event_version": .init(version),
            "checksum": checksum, "payload": mask.applied(to: document),
            "created_at": .init(milliseconds: createdAt),
        ])
    }
}

extension StoredFailureRecord {
    /// The failure in phobos_db_checkpoint's shape.
    fileprivate func phobos(group: String, _ mask: Mask) -> JSON {
        let checksum: JSON = mask.isEmpty ? .string(Digest.md5(payload)) : .null
        return .object([
            "id": .integer(id), "created_at": .init(milliseconds: createdAt), "topic": .string(source.topic),
            "group_id": .string(group), "entity_id": .init(entityID), "event_time": .init(milliseconds: eventTime),
            "event_type": .init(eventType), "event_version": .init(eventVersion),
            "checksum": checksum,
            "payload": Payload(payload, mask).json,
            "metadata": .object([
                "key": .init(key), "partition": .integer(Int64(source.partition)), "offset": .integer(offset),
                "group_id": .string(group), "topic": .string(source.topic), "retry_count": .integer(Int64(attempts)),
                "headers": .array(headers.map { $0.json(mask) }),
            ]),
            "error_class": .string(errorClass), "error_message": .string(errorMessage),
            "error_backtrace": .array(
                mask.isEmpty ? (errorDetails ?? "").split(separator: "\n").map { .string(String($0)) } : []
            ),
        ])
    }
}

extension JSON {
    /// A time with three digits, as phobos writes it.
    fileprivate init(milliseconds time: Timestamp?) {
        self = time.map { .string($0.iso8601(fractionDigits: 3)) } ?? .null
    }
}
