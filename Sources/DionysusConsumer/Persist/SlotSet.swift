/// A set of places in a row.
struct SlotSet: Hashable, Sendable {
    private var words: [UInt64] = []

    mutating func insert(_ slot: Int) {
        let word = slot / 64
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(slot % 64)
    }

    func contains(_ slot: Int) -> Bool {
        let word = slot / 64
        return word < words.count && words[word] & (1 << UInt64(slot % 64)) != 0
    }

    mutating func formUnion(_ other: SlotSet) {
        guard self != other else { return }
        guard !words.isEmpty else {
            self = other
            return
        }
        while words.count < other.words.count { words.append(0) }
        for index in other.words.indices { words[index] |= other.words[index] }
    }

    /// The slots in ascending order.
    var slots: [Int] {
        words.enumerated()
            .flatMap { index, word in
                (0..<64).filter { word & (1 << UInt64($0)) != 0 }.map { index * 64 + $0 }
            }
    }
}
