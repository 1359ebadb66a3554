import Dionysus
import Foundation

extension Fault {
    static let groupFaults = [
        Fault(
            name: "members",
            summary: "members join and leave every other second",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) { system, random in
            for _ in 1...4 {
                let role: Role = Bool.random(using: &random) ? .consumer : .counter
                try await system.start(role)
                try await pause(1500...2500, &random)
                guard let leaving = await system.any(role, &random) else { continue }
                try await system.remove(leaving, role, gracefully: Bool.random(using: &random))
                try await pause(200...800, &random)
            }
        },
        Fault(
            name: "slow-handler",
            summary: "a handler takes longer than the poll interval",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) { system, random in
            let counter = try await system.start(.counter, ["--slowness", "7000", "--poll-interval", "6000"])
            try await pause(9000...11_000, &random)
            try await system.remove(counter, .counter, gracefully: true)
        },
        Fault(
            name: "poison",
            summary: "there are unreadable messages among the others",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) { system, random in
            let broker = try system.openBroker()
            let producer = try await broker.makeProducer(ProducerOptions(clientID: "poison"))
            for _ in 1...20 {
                let topic = ["v3_rentals", "v3_bookings"].randomElement(using: &random) ?? "v3_rentals"
                let value = Poison.values.randomElement(using: &random) ?? []
                let message = OutgoingMessage(
                    topic: topic,
                    destination: .partition(Int32.random(in: 0..<4, using: &random)),
                    key: Poison.key,
                    value: value
                )
                for result in await producer.send([message]) { _ = try result.get() }
                try await pause(20...200, &random)
            }
            await producer.close(deadline: .seconds(5))
            await broker.close()
        },
    ]
}

/// Messages that can't be applied.
enum Poison {
    /// Their key, which identifies them.
    static let key = Array("Poison:1".utf8)

    static let values: [[UInt8]] = [
        [0xff, 0xfe, 0x00], Array("{\"message\":[{".utf8), Array("[]".utf8),
        Array(#"{"message":[{"event":"rental_updated","model_name":"Rental","data":[7]}]}"#.utf8),
        Array(#"{"message":[{"event":"rental_updated","model_name":"Rental","data":[{"id":[1],"links":{}}]}]}"#.utf8),
    ]
}
