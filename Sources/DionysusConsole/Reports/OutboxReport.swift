import Dionysus
import DionysusProducer

/// What waits in the outbox, and the rows that a filter lets through.
struct OutboxReport: Sendable {
    /// The state of the outbox as a whole.
    struct Summary: Sendable {
        let survey: OutboxSurvey
        let refused: [ModelRefusal]

        static func read(_ side: ObservedSystem.ProducerSide) async throws -> Summary {
            let inspector = OutboxInspector(database: side.database)
            return Summary(survey: try await inspector.survey(), refused: try await inspector.refusedModels())
        }

        /// How long the oldest row has waited, in seconds.
        var oldestAge: Double? {
            survey.oldest.map { max(0, Double(survey.readAt.microseconds(since: $0)) / 1_000_000) }
        }

        var json: JSON {
            .object([
                "pending": .init(survey.pending), "retrying": .init(survey.retrying), "parked": .init(survey.parked),
                "oldest_age": .init(oldestAge), "lanes": .integer(Int64(survey.lanes)),
                "cells": .array(
                    survey.cells.map { cell in
                        .object([
                            "topic": .string(cell.topic), "lane": .integer(Int64(cell.lane)),
                            "pending": .integer(Int64(cell.pending)), "retrying": .integer(Int64(cell.retrying)),
                            "oldest": .init(cell.oldest),
                        ])
                    }
                ),
                "refused_models": .array(
                    refused.map { refusal in
                        .object([
                            "topic": .string(refusal.topic), "model": .string(refusal.modelName),
                            "reason": .string(refusal.reason), "found_at": .init(refusal.foundAt),
                        ])
                    }
                ),
                "read_at": .init(survey.readAt),
            ])
        }
    }

    let summary: Reading<Summary>
    let filter: OutboxFilter
    let rows: Part<(entries: [OutboxEntry], isBounded: Bool)>

    /// How many rows a page has.
    static let pageSize = 100

    static func read(_ core: ConsoleCore, _ side: ObservedSystem.ProducerSide, _ filter: OutboxFilter) async
        -> OutboxReport
    {
        var wanted = filter
        wanted.limit = filter.limit + 1
        async let summary = core.outbox?.reading()
        let rows = await Part.reading { [wanted] in
            try await OutboxInspector(database: side.database).first(wanted)
        }
        return OutboxReport(
            summary: await summary ?? .unreachable(reason: "no producer", since: .now),
            filter: filter,
            rows: rows
        )
    }

    /// The rows of the page.
    var entries: [OutboxEntry] { Array((rows.value?.entries ?? []).prefix(filter.limit)) }

    /// The id after which the next page begins.
    var next: Int64? { (rows.value?.entries.count ?? 0) > filter.limit ? entries.last?.id : nil }

    var json: JSON {
        var object: JSON.Object = [
            "summary": summary.value?.json ?? .null, "problem": .init(summary.problem),
            "rows": .array(entries.map(\.json)), "next": .init(next),
            "looked_at_all": .bool(rows.value?.isBounded == false),
        ]
        if case .failed(let reason) = rows { object["rows_problem"] = .string(reason) }
        return .object(object)
    }
}

extension OutboxEntry {
    var json: JSON {
        .object([
            "id": .integer(id), "state": .string(state.rawValue), "topic": .string(topic),
            "model": .string(modelName), "record_id": .string(recordID), "event": .string(eventName),
            "partition_key": .init(partitionKey), "attempts": .integer(Int64(attempts)),
            "changed_columns": .array(changedColumns.map(JSON.string)), "created_at": .init(createdAt),
            "published_at": .init(publishedAt), "failed_at": .init(failedAt), "retry_at": .init(retryAt),
            "error_class": .init(errorClass), "error_message": .init(errorMessage), "origin": .init(origin),
        ])
    }
}

extension JSON {
    /// A count, and whether there are more.
    init(_ count: BoundedCount) {
        self = .object(["count": .integer(Int64(count.value)), "more": .bool(count.hasMore)])
    }
}
