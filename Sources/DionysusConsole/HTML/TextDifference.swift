/// The lines in which two texts differ.
struct TextDifference: Sendable {
    enum Line: Sendable, Hashable {
        case same(String)
        case removed(String)
        case added(String)
    }

    let lines: [Line]

    init(_ before: String, _ after: String) {
        let old = before.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let new = after.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard old.count <= 3_000, new.count <= 3_000 else {
            lines = old.map(Line.removed) + new.map(Line.added)
            return
        }
        let difference = new.difference(from: old)
        let removed = Set(difference.removals.map(\.place))
        let added = Set(difference.insertions.map(\.place))
        var (result, i, j): ([Line], Int, Int) = ([], 0, 0)
        while i < old.count || j < new.count {
            if i < old.count, removed.contains(i) {
                result.append(.removed(old[i]))
                i += 1
            } else if j < new.count, added.contains(j) {
                result.append(.added(new[j]))
                j += 1
            } else if i < old.count {
                result.append(.same(old[i]))
                i += 1
                j += 1
            } else {
                j += 1
            }
        }
        lines = result
    }
}

extension CollectionDifference.Change {
    fileprivate var place: Int {
        switch self {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }
}
