/// A set of places in a row.
struct SlotSet: Hashable, Sendable {
    /// The places below 64, which is where nearly all tables end.
    private var first: UInt64 = 0
    private var others: Set<Int> = []

    mutating func insert(_ slot: Int) {
        if slot < 64 { first |= 1 << UInt64(slot) } else { others.insert(slot) }
    }

    func contains(_ slot: Int) -> Bool {
        slot < 64 ? first & (1 << UInt64(slot)) != 0 : others.contains(slot)
    }

    mutating func formUnion(_ other: SlotSet) {
        first |= other.first
        if !other.others.isEmpty { others.formUnion(other.others) }
    }

    /// The slots in ascending order.
    var slots: [Int] { (0..<64).filter(contains) + others.sorted() }
}
