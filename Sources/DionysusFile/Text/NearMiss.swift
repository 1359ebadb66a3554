/// What a misspelled name was probably meant to be.
enum NearMiss {
    /// A suggestion as the end of a message; empty if no name is near.
    static func suggestion(for name: String, among names: some Sequence<String>) -> String {
        let limit = max(1, name.count / 3)
        let nearest = names.map { (name: $0, distance: distance(name.prefix(64), $0.prefix(64))) }
            .min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= limit else { return "" }
        return "; did you mean \(nearest.name)?"
    }

    /// How many letters have to be inserted, left out, replaced or exchanged with their neighbours.
    private static func distance(_ first: Substring, _ second: Substring) -> Int {
        let (first, second) = (Array(first.lowercased()), Array(second.lowercased()))
        guard !first.isEmpty, !second.isEmpty else { return max(first.count, second.count) }
        var rows = [Array(0...second.count)]
        for (i, letter) in first.enumerated() {
            var row = [i + 1]
            for (j, other) in second.enumerated() {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (letter == other ? 0 : 1))
                if i > 0, j > 0, letter == second[j - 1], first[i - 1] == other {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[first.count][second.count]
    }
}
