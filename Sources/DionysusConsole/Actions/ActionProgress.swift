import Dionysus

/// How far an action is, and what became of what it was to change.
struct ActionProgress: Sendable {
    /// Something that the action was to change, and what became of it.
    struct Result: Sendable {
        let subject: String
        let outcome: String
        let isDone: Bool
        /// Where it is to be seen, without the base path.
        var path: String?
    }

    let id: String
    /// What is done, in words: `Retry`.
    let title: String
    let actor: String
    let startedAt: Timestamp
    /// How many are to be changed; a bounded count if it ends with `+`.
    let matched: Int
    /// The page that it was begun on, without the base path.
    let returnPath: String
    var results: [Result] = []
    /// How many results there are, by their words; also of those that aren't kept.
    var outcomes: [String: Int] = [:]
    var handled = 0
    var finishedAt: Timestamp?
    /// Why it ended before its time.
    var problem: String?
    var isStopping = false

    /// The most results that are kept one by one.
    static let maxResults = 500

    mutating func add(_ result: Result) {
        handled += 1
        outcomes[result.outcome, default: 0] += 1
        // What went wrong is worth more than what didn't.
        if results.count < Self.maxResults {
            results.append(result)
        } else if !result.isDone, let place = results.firstIndex(where: \.isDone) {
            results[place] = result
        }
    }

    /// What became of it, in words.
    var summary: String {
        let parts = outcomes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\(Format.number($0.value)) \($0.key)" }
        let text = parts.isEmpty ? "nothing was changed" : parts.joined(separator: ", ")
        return problem.map { "\(text); \($0)" } ?? text
    }

    var isFinished: Bool { finishedAt != nil }

    var json: JSON {
        .object([
            "id": .string(id), "title": .string(title), "actor": .string(actor), "started_at": .init(startedAt),
            "finished_at": .init(finishedAt), "matched": .integer(Int64(matched)), "handled": .integer(Int64(handled)),
            "outcomes": .object(
                JSON.Object(outcomes.sorted { $0.key < $1.key }.map { .init($0.key, .integer(Int64($0.value))) })
            ),
            "problem": .init(problem),
            "results": .array(
                results.map {
                    .object([
                        "subject": .string($0.subject), "outcome": .string($0.outcome), "done": .bool($0.isDone),
                    ])
                }
            ),
        ])
    }
}
