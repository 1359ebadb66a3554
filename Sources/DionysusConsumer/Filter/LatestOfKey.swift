import Dionysus

/// Of the messages of each key, keeps only the last.
enum LatestOfKey {
    static func apply(_ messages: [DecodedMessage]) -> [DecodedMessage] {
        var seen: Set<[UInt8]> = []
        let kept = messages.reversed()
            .filter { message in
                message.message.key.map { seen.insert($0).inserted } ?? true
            }
        return kept.reversed()
    }
}
