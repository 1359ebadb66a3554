import Dionysus

extension ConsumedMessage {
    /// About how much memory it takes, in bytes, once it has been read, turned into values of columns and sent to the database, with the row that it had there.
    ///
    /// What a message says is there several times then: as it came, as texts, as values, in lists, in what the database's
    /// client sends, and in the row that is compared. A small record takes far more than its bytes: objects and values are
    /// counted by the signs before them. Those in texts count too, because so the processor can count many at once.
    var workingSize: Int {
        let signs =
            value?
            .withUnsafeBufferPointer { bytes in
                var (objects, values) = (0, 0)
                for byte in bytes {
                    objects &+= byte == UInt8(ascii: "{") ? 1 : 0
                    values &+= (byte == UInt8(ascii: ",") ? 1 : 0) &+ (byte == UInt8(ascii: "[") ? 1 : 0)
                }
                return objects * 600 + values * 200
            }
        return size * 12 + (signs ?? 0)
    }
}

extension [ConsumedMessage] {
    var size: Int { reduce(0) { $0 + $1.size } }

    var workingSize: Int { reduce(0) { $0 + $1.workingSize } }

    /// How many of the first messages make a batch, at least one if there are any, and what they take.
    /// - Parameters:
    ///   - count: How many there may be.
    ///   - limit: What they may take while they are worked on, unless the first alone takes more.
    func batch(atMost count: Int, taking limit: Int) -> (count: Int, workingSize: Int) {
        var weight = 0
        for (index, message) in prefix(count).enumerated() {
            let more = message.workingSize
            if weight + more > limit, index > 0 { return (index, weight) }
            weight += more
        }
        return (Swift.min(count, self.count), weight)
    }
}
