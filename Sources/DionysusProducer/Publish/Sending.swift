import Dionysus

/// Messages that middleware sends, once or several times, and what has become of each so far.
final class Sending {
    private let messages: [OutgoingMessage]
    private let send: ([OutgoingMessage]) async -> [SendResult]
    /// One for each message, once they have been sent.
    private(set) var results: [SendResult] = []

    init(_ messages: [OutgoingMessage], _ send: @escaping ([OutgoingMessage]) async -> [SendResult]) {
        self.messages = messages
        self.send = send
    }

    /// Whether the messages have been sent at least once.
    var isBegun: Bool { !results.isEmpty }

    /// How many messages the broker has not acknowledged.
    var unacknowledged: Int { isBegun ? results.count(where: \.isFailure) : messages.count }

    /// Sends what is not acknowledged.
    /// - Returns: How many messages are not acknowledged afterwards.
    func attempt() async -> Int {
        if isBegun {
            let again = messages.placesToSendAgain(results) { _, _ in true }
            for (place, result) in zip(again, await send(again.map { messages[$0] })) { results[place] = result }
        } else {
            results = await send(messages)
        }
        return unacknowledged
    }
}

extension [OutgoingMessage] {
    /// The places of failed messages that can be sent again: not those of records of which a later message has arrived.
    func placesToSendAgain(_ results: [SendResult], where isWanted: (SendResult, OutgoingMessage) -> Bool) -> [Int] {
        var arrived: Set<[UInt8]> = []
        var places: [Int] = []
        for (place, result) in results.enumerated().reversed() {
            let message = self[place]
            let key = Array<UInt8>("\(message.topic) ".utf8) + (message.key ?? [])
            if !result.isFailure {
                arrived.insert(key)
            } else if isWanted(result, message), !arrived.contains(key) {
                places.append(place)
            }
        }
        return places.reversed()
    }
}
