import Dionysus
import DionysusConsumer

extension ComparedRun {
    var json: JSON {
        .object([
            "number": .integer(number), "run": .string(name), "topic": .string(topic), "model": .init(model),
            "from": .init(firstKey), "to": .init(lastKey),
            "state": .string(state.rawValue), "records": .integer(records), "chunks": .integer(chunks),
            "chunks_total": .init(chunksTotal), "suspects": .integer(suspects), "missing": .init(counts[.missing]),
            "stale": .init(counts[.stale]), "extra": .init(counts[.extra]), "unreadable": .init(counts[.unreadable]),
            "started_at": .init(startedAt), "finished_at": .init(finishedAt),
        ])
    }

    /// What is compared, in words: `Rental`, `Rental 42`, `Rental from 1 to 800`.
    var subject: String { [model, Format.keys(firstKey, lastKey)].compactMap(\.self).joined(separator: " ") }

    /// The page with its findings.
    var path: String { Link.to("/verifications/\(number)", [("topic", topic)]) }

    /// What was found, in words.
    var findings: String {
        guard let differences else {
            return state == .cancelled ? "cancelled" : "\(Format.number(suspects)) in question"
        }
        guard differences > 0 else { return "no difference" }
        return Difference.Kind.allCases
            .compactMap { kind in
                counts[kind].flatMap { $0 > 0 ? "\(Format.number($0)) \(kind.rawValue)" : nil }
            }
            .joined(separator: ", ")
    }
}

extension Difference {
    var json: JSON {
        .object([
            "id": .integer(id), "kind": .string(kind.rawValue), "model": .string(model), "record_id": .string(recordID),
            "published_model": .string(publishedModel), "published_id": .string(publishedID),
            "columns": .array(columns.map(JSON.string)), "version": .init(version), "found_at": .init(foundAt),
            "repaired_at": .init(repairedAt),
        ])
    }
}
