import Dionysus

/// Sends messages about rentals, in the order of their ids, to one partition.
func sendRentals(_ change: EventName.Change, count: Int, to broker: any MessageBroker, version: Int64) async throws {
    let producer = try await broker.makeProducer(ProducerOptions(clientID: "bench"))
    for start in stride(from: 1, through: count, by: 5_000) {
        let messages = (start...min(start + 4_999, count)).map { rentalMessage($0, change, version: version) }
        for result in await producer.send(messages) { _ = try result.get() }
    }
    await producer.close(deadline: .seconds(10))
}

private func rentalMessage(_ id: Int, _ change: EventName.Change, version: Int64) -> OutgoingMessage {
    let payload = """
        {"id":\(id),"name":"Villa number \(id)","price":"\(100 + version).50","bedrooms":\(id % 7),\
        "check_in_time":15,"canceled_at":null,"created_at":"2026-11-21T03:59:48.440000Z",\
        "updated_at":"2026-11-21T04:00:0\(version).440000Z","links":{"account":\(id % 1_000)}}
        """
    let value = #"{"message":[{"event":"rental_\#(change.rawValue)","model_name":"Rental","data":[\#(payload)]}]}"#
    return OutgoingMessage(
        topic: "v3_rentals",
        destination: .partition(0),
        key: Array("Rental:\(id)".utf8),
        value: Array(value.utf8),
        headers: [MessageHeader(HeaderName.version, Array(String(version).utf8))]
    )
}
