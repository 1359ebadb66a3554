/// Spreads partitions over the members of a group: evenly, the same way whoever computes it, and moving as few as
/// possible.
enum Assignment {
    /// - Parameters:
    ///   - subscriptions: What each member may own.
    ///   - holders: Who has each partition, or was to get it. Members that are gone don't count.
    /// - Returns: Who is to have each partition that any member may own.
    static func balance(
        _ subscriptions: [Int64: Set<Int64>],
        holders: [Int64: Int64]
    ) -> [Int64: Int64] {
        let members = subscriptions.keys.sorted()
        var owned = subscriptions.mapValues { _ in Set<Int64>() }
        func load(_ member: Int64) -> Int { owned[member]?.count ?? 0 }
        func mayOwn(_ member: Int64, _ partition: Int64) -> Bool { subscriptions[member]?.contains(partition) == true }

        let all = union(subscriptions)
        for partition in all {
            if let holder = holders[partition], mayOwn(holder, partition) { owned[holder]?.insert(partition) }
        }
        for partition in all.subtracting(union(owned)).sorted() {
            let member = members.filter { mayOwn($0, partition) }.min { (load($0), $0) < (load($1), $1) }
            if let member { owned[member]?.insert(partition) }
        }

        // Each move makes the sum of the squared loads smaller, so this ends.
        while let move = nextMove(members, owned, load, mayOwn) {
            owned[move.from]?.remove(move.partition)
            owned[move.to]?.insert(move.partition)
        }

        var result: [Int64: Int64] = [:]
        for (member, partitions) in owned {
            for partition in partitions { result[partition] = member }
        }
        return result
    }

    private static func union(_ sets: [Int64: Set<Int64>]) -> Set<Int64> {
        sets.values.reduce(into: Set()) { $0.formUnion($1) }
    }

    /// A partition that can go from a member to one that has at least two fewer, from the fullest member first.
    private static func nextMove(
        _ members: [Int64],
        _ owned: [Int64: Set<Int64>],
        _ load: (Int64) -> Int,
        _ mayOwn: (Int64, Int64) -> Bool
    ) -> (partition: Int64, from: Int64, to: Int64)? {
        let byLoad = members.sorted { (load($0), $0) < (load($1), $1) }
        for from in byLoad.reversed() {
            for to in byLoad where load(to) + 2 <= load(from) {
                let movable = owned[from]?.filter { mayOwn(to, $0) }.max()
                if let movable { return (movable, from, to) }
            }
        }
        return nil
    }
}
