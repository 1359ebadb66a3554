import Dionysus
import DionysusConsumer

/// What failed, by cause, and the messages that a filter lets through.
struct FailureReport: Sendable {
    /// How many messages a page has.
    static let pageSize = 100

    let survey: Reading<FailureSurvey>
    let filter: FailureFilter
    let cause: String?
    /// Nil where only the groups are asked for.
    let list: Part<(failures: [RecordedFailure], isBounded: Bool)>?

    static func read(
        _ core: ConsoleCore,
        _ failures: ConsumerFailures,
        _ filter: FailureFilter,
        cause: String?,
        listing: Bool
    ) async -> FailureReport {
        async let survey = core.failures?.reading()
        var wanted = filter
        wanted.limit = filter.limit + 1
        let list =
            listing ? await Part.reading { [wanted] in try await failures.list(wanted, cause: cause) } : nil
        return FailureReport(
            survey: await survey ?? .unreachable(reason: "no consumer", since: .now),
            filter: filter,
            cause: cause,
            list: list
        )
    }

    var failures: [RecordedFailure] { Array((list?.value?.failures ?? []).prefix(filter.limit)) }
    var next: Int64? { (list?.value?.failures.count ?? 0) > filter.limit ? failures.last?.id : nil }

    var json: JSON {
        var object: JSON.Object = [
            "problem": .init(survey.problem),
            "failed": .init(survey.value.map { Int64($0.failed) }),
            "waiting": .init(survey.value.map { Int64($0.waiting) }),
            "more": .bool(survey.value?.hasMore ?? false),
            "groups": .array((survey.value?.groups ?? []).map(\.json)),
        ]
        if let list {
            object["failures"] = .array(failures.map(\.json))
            object["next"] = .init(next)
            object["looked_at_all"] = .bool(list.value?.isBounded == false)
            if case .failed(let reason) = list { object["failures_problem"] = .string(reason) }
        }
        return .object(object)
    }
}

extension FailureGroup {
    var json: JSON {
        .object([
            "topic": .string(topic), "error_class": .string(errorClass), "cause": .string(cause),
            "count": .integer(Int64(count)), "waiting": .integer(Int64(waiting)), "first": .init(first),
            "last": .init(last),
        ])
    }
}

extension RecordedFailure {
    var json: JSON {
        .object([
            "id": .integer(id), "state": .string(state.rawValue), "topic": .string(source.topic),
            "partition": .integer(Int64(source.partition)), "offset": .integer(offset), "key": .init(key),
            "size": .init(size.map { Int64($0) }), "entity_id": .init(entityID), "event_time": .init(eventTime),
            "event_type": .init(eventType), "event_version": .init(eventVersion), "error_class": .string(errorClass),
            "error_message": .string(errorMessage), "attempts": .integer(Int64(attempts)),
            "created_at": .init(createdAt), "retried_at": .init(retriedAt),
        ])
    }

    /// The model and the record, if the key names one as messages of records do.
    var record: (model: String, id: String)? {
        guard let parts = key?.split(separator: ":", maxSplits: 1), parts.count == 2 else { return nil }
        return (String(parts[0]), String(parts[1]))
    }
}

/// A message that failed, with everything that helps to understand why.
struct FailureDetail: Sendable {
    let failure: RecordedFailure
    let message: ConsumedMessage
    /// The message with its data decoded, where that can be done.
    let readable: ReadMessage
    let waiting: [RecordedFailure]
    /// What the replica has of the record; nil if the key names none.
    let replica: Part<[ReplicaRow]>?

    static func read(_ id: Int64, _ core: ConsoleCore, _ failures: ConsumerFailures) async throws -> FailureDetail? {
        guard let failure = try await failures.failure(id), let message = try await failures.message(id) else {
            return nil
        }
        var replica: Part<[ReplicaRow]>?
        if let record = failure.record, let side = core.system.consumer {
            replica = await .reading {
                try await ReplicaRecords(side.consumer, database: side.database, settings: side.settings)
                    .rows(of: record.model, id: record.id).rows
            }
        }
        return FailureDetail(
            failure: failure,
            message: message,
            readable: await failures.readable(message),
            waiting: try await failures.waiting(behind: failure),
            replica: replica
        )
    }

    func json(_ mask: Mask) -> JSON {
        guard case .object(var object) = failure.json else { return .null }
        object["payload"] = Payload(readable, mask).json
        object["headers"] = .array(message.headers.map { $0.json(mask) })
        object["error_details"] = mask.isEmpty ? .init(failure.errorDetails) : .null
        object["waiting_behind"] = .array(waiting.map { .integer($0.id) })
        return .object(object)
    }
}

extension MessageHeader {
    func json(_ mask: Mask) -> JSON {
        let text = String(decoding: value, as: UTF8.self)
        return .object(["name": .string(name), "value": .init(mask.applied(to: text, of: name))])
    }
}
