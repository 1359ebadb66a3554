import Dionysus
import DionysusConsumer
import DionysusProducer

/// The two sides of a verification, as far as their databases' addresses are set.
struct VerificationSides: Sendable {
    fileprivate let verification: Verification?
    fileprivate let verifications: ConsumerVerifications?

    var hasSource: Bool { verification != nil }

    func source() throws -> Verification {
        guard let verification else { throw Self.missing("source") }
        return verification
    }

    func replica() throws -> ConsumerVerifications {
        guard let verifications else { throw Self.missing("replica") }
        return verifications
    }

    private static func missing(_ side: String) -> DionysusError {
        DionysusError(
            .configuration,
            "this needs the \(side)'s database",
            advice: "set \(side.uppercased())_DATABASE_URL, in an application that has this side"
        )
    }

    /// What both sides know of runs.
    /// - Parameter id: A run's number; nil for all runs.
    /// - Throws: `notFound` for a number that neither side knows.
    func runs(_ id: Int64? = nil) async throws -> VerificationRuns {
        var runs = try await verification?.runs()
        if let id { runs = runs?.filter { $0.id == id } }
        let compared = try await verifications?.runs(number: id)
        if let id, runs?.isEmpty ?? true, compared?.isEmpty ?? true {
            throw DionysusError(.notFound, "there is no verification run \(id)", advice: "list the runs")
        }
        return VerificationRuns(runs: runs, compared: compared)
    }
}

extension ApplicationEnvironment {
    /// Does something with the sides whose addresses are set.
    func withSides<T: Sendable>(_ body: (VerificationSides) async throws -> T) async throws -> T {
        let source = App.hasProducer && !settings.sourceDatabaseURL.isEmpty ? try source() : nil
        let replica = App.hasConsumer && !settings.replicaDatabaseURL.isEmpty ? try replica() : nil
        let sides = VerificationSides(
            verification: source.map { Verification(database: $0, registry: registry, settings: settings.producer) },
            verifications: replica.map {
                ConsumerVerifications(application.consumer, database: $0, settings: settings.consumer)
            }
        )
        let result: Result<T, any Error>
        do {
            result = .success(try await body(sides))
        } catch {
            result = .failure(error)
        }
        await source?.close()
        await replica?.close()
        return try result.get()
    }

    /// Does something, and closes the broker after it.
    func closing<T>(_ broker: any MessageBroker, _ body: () async throws -> T) async throws -> T {
        do {
            let result = try await body()
            await broker.close()
            return result
        } catch {
            await broker.close()
            throw error
        }
    }
}

/// What the source and the consumer know of verification runs; nil for a side that isn't looked at.
struct VerificationRuns: Sendable {
    let runs: [GenesisRun]?
    let compared: [ComparedRun]?

    var json: JSON {
        .object([
            "runs": runs.map { .array($0.map(\.report)) } ?? .null,
            "compared": compared.map { .array($0.map { $0.report() }) } ?? .null,
        ])
    }

    func json(_ differences: [ComparedRun: [Difference]]) -> JSON {
        .object([
            "run": runs?.first.map(\.report) ?? .null,
            "compared": compared.map { .array($0.map { $0.report(differences[$0]) }) } ?? .null,
        ])
    }

    var table: String {
        let published = (runs ?? [])
            .map { run in
                ["\(run.id)", "source", run.topic, run.model, run.state.rawValue, run.percentText, ""]
            }
        let found = (compared ?? [])
            .map { run in
                [
                    "\(run.number)", "replica", run.topic, run.model ?? "", run.state.rawValue, run.progress,
                    run.findings,
                ]
            }
        return tableText(["ID", "SIDE", "TOPIC", "MODEL", "STATE", "DONE", "DIFFERENCES"], published + found)
    }

    func text(_ differences: [ComparedRun: [Difference]]) -> String {
        let parts = (runs ?? []).map(\.text) + (compared ?? []).map { $0.text(differences[$0] ?? []) }
        return parts.joined(separator: "\n\n")
    }
}

extension ComparedRun {
    fileprivate var progress: String { "\(chunks)\(chunksTotal.map { " of \($0)" } ?? "") chunks" }

    fileprivate var findings: String {
        guard let differences else { return "\(suspects) in question" }
        guard differences > 0 else { return "none" }
        return Difference.Kind.allCases
            .compactMap { kind in counts[kind].flatMap { $0 > 0 ? "\($0) \(kind.rawValue)" : nil } }
            .joined(separator: ", ")
    }

    fileprivate func text(_ list: [Difference]) -> String {
        var lines = [
            "replica of \(topic)\(model.map { ", \($0)" } ?? ""): \(state.rawValue)".printable(),
            "started    \(startedAt.iso8601(fractionDigits: 0))",
            "compared   \(records) records, \(progress)",
            "different  \(findings)",
        ]
        if let finishedAt { lines.append("ended      \(finishedAt.iso8601(fractionDigits: 0))") }
        guard !list.isEmpty else { return lines.joined(separator: "\n") }
        let rows = list.map { difference in
            let record = "\(difference.publishedModel) \(difference.publishedID)"
            let own = "\(difference.model) \(difference.recordID)"
            return [
                difference.kind.rawValue, own, own == record ? "" : record, difference.columns.joined(separator: ", "),
                difference.repairedAt.map { $0.iso8601(fractionDigits: 0) } ?? "",
            ]
        }
        lines += ["", tableText(["KIND", "ROW", "PART OF", "COLUMNS", "REPAIRED"], rows)]
        return lines.joined(separator: "\n")
    }

    /// The run as JSON.
    /// - Parameter list: Its differences; nil to leave them out.
    func report(_ list: [Difference]? = nil) -> JSON {
        func time(_ time: Timestamp?) -> JSON { time.map { .string($0.description) } ?? .null }
        func number(_ number: Int64?) -> JSON { number.map(JSON.integer) ?? .null }
        var object: JSON.Object = [
            "number": .integer(self.number), "run": .string(name), "topic": .string(topic),
            "model": model.map(JSON.string) ?? .null, "state": .string(state.rawValue), "records": .integer(records),
            "chunks": .integer(chunks), "chunks_total": number(chunksTotal), "suspects": .integer(suspects),
            "missing": number(counts[.missing]), "stale": number(counts[.stale]), "extra": number(counts[.extra]),
            "unreadable": number(counts[.unreadable]), "started_at": time(startedAt), "finished_at": time(finishedAt),
        ]
        if let list { object["differences"] = .array(list.map(\.report)) }
        return .object(object)
    }
}

extension Difference {
    /// The difference as JSON.
    var report: JSON {
        .object([
            "id": .integer(id), "kind": .string(kind.rawValue), "model": .string(model), "record_id": .string(recordID),
            "published_model": .string(publishedModel), "published_id": .string(publishedID),
            "columns": .array(columns.map(JSON.string)), "version": version.map(JSON.integer) ?? .null,
            "found_at": .string(foundAt.description),
            "repaired_at": repairedAt.map { .string($0.description) } ?? .null,
        ])
    }
}
