import Dionysus

/// About how much memory a message takes, in bytes.
extension ConsumedMessage {
    /// As it came from the broker.
    var size: Int {
        (value?.count ?? 0) + (key?.count ?? 0) + headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.count } + 100
    }

    /// Once it has been read, turned into values of columns and sent to the database, with the row that it had there.
    ///
    /// What a message says is there several times then: as it came, as texts, as values, in lists, in what the database's
    /// client sends, and in the row that is compared. A small record takes far more than its bytes: objects and values are
    /// counted by the signs before them, outside of texts.
    var workingSize: Int {
        var (weight, isText, isEscaped) = (size * 12, false, false)
        value?
            .withUnsafeBufferPointer { bytes in
                for byte in bytes {
                    if isText {
                        if isEscaped {
                            isEscaped = false
                        } else if byte == UInt8(ascii: "\\") {
                            isEscaped = true
                        } else if byte == UInt8(ascii: "\"") {
                            isText = false
                        }
                        continue
                    }
                    switch byte {
                    case UInt8(ascii: "\""): isText = true
                    case UInt8(ascii: "{"): weight += 600
                    case UInt8(ascii: ","), UInt8(ascii: "["): weight += 200
                    default: continue
                    }
                }
            }
        return weight
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
