import Dionysus
import DionysusKafka
import Foundation

extension Fault {
    static let brokerFaults = [
        Fault(
            name: "broker-away",
            summary: "the broker is down for seconds",
            systems: .onServers,
            patience: sessionTimeout,
            blows: 1,
            losesLanes: false
        ) { system, random in
            try system.cluster?.stopBroker(1)
            try await pause(2000...12_000, &random)
            try system.cluster?.startBroker(1)
        },
        Fault(
            name: "broker-slow",
            summary: "the broker has a latency of 100 to 300 ms",
            systems: .onServers,
            blows: 0,
            losesLanes: false
        ) { system, random in
            let delay = Duration.milliseconds(Int.random(in: 100...300, using: &random))
            try system.cluster?.setRoundTrip(delay, of: 1)
            try await pause(3000...6000, &random)
            try system.cluster?.setRoundTrip(.zero, of: 1)
        },
        Fault(
            name: "broker-jitter",
            summary: "the network to the broker has a varying latency of up to 150 ms",
            systems: .onServers,
            blows: 0,
            losesLanes: false
        ) { system, random in
            for proxy in [system.producerProxy, system.consumerProxy] {
                proxy?
                    .change {
                        $0.delay = .milliseconds(10)
                        $0.jitter = .milliseconds(140)
                    }
            }
            try await pause(3000...6000, &random)
            for proxy in [system.producerProxy, system.consumerProxy] {
                proxy?
                    .change {
                        $0.delay = .zero
                        $0.jitter = .zero
                    }
            }
        },
        Fault(
            name: "broker-cut",
            summary: "relays' connections to the broker are cut in the middle of requests",
            systems: .onServers,
            blows: 10,
            losesLanes: false
        ) { system, random in
            for _ in 1...10 {
                system.producerProxy?.cut()
                try await pause(50...700, &random)
            }
        },
        Fault(
            name: "lost-ack",
            summary: "messages arrive at the broker, and their acknowledgements are lost",
            systems: .onServers,
            blows: 5,
            losesLanes: false
        ) { system, random in
            for _ in 1...5 {
                system.producerProxy?.change { $0.losesReplies = true }
                try await pause(100...500, &random)
                system.producerProxy?.change { $0.losesReplies = false }
                system.producerProxy?.cut()
                try await pause(200...800, &random)
            }
        },
        Fault(
            name: "broker-errors",
            summary: "the broker answers with errors",
            systems: .onServers,
            blows: 10,
            losesLanes: false
        ) { system, random in
            // Not leader, request timed out, not enough replicas, and the same after appending.
            let codes: [Int32] = [6, 7, 19, 20]
            for _ in 1...10 {
                let count = Int.random(in: 1...6, using: &random)
                system.cluster?.fail(.produce, with: (0..<count).map { _ in codes.randomElement(using: &random) ?? 7 })
                try await pause(100...500, &random)
            }
            system.cluster?.clearFailures(.produce)
        },
        Fault(
            name: "fetch-errors",
            summary: "the broker answers consumers with errors",
            systems: .onServers,
            blows: 0,
            losesLanes: false
        ) { system, random in
            // Offset out of range, although it has it; unknown topic, not leader, request timed out.
            let codes: [Int32] = [1, 3, 6, 7]
            for _ in 1...10 {
                let count = Int.random(in: 1...4, using: &random)
                system.cluster?.fail(.fetch, with: (0..<count).map { _ in codes.randomElement(using: &random) ?? 6 })
                try await pause(100...500, &random)
            }
            system.cluster?.clearFailures(.fetch)
        },
        Fault(
            name: "message-too-large",
            summary: "a record is too large for the broker for a while, among other changes of it",
            systems: .everywhere,
            patience: firstRetry,
            blows: 0,
            losesLanes: false
        ) { system, random in
            let id = Int.random(in: 1...100, using: &random)
            let failed: SQL = """
                SELECT id FROM dionysus_outboxes WHERE resource_class = 'Rental' AND resource_id = \("\(id)")
                  AND published_at IS NULL AND failed_at IS NOT NULL
                """
            var rows: [Int64] = []
            for _ in 1...20 where rows.isEmpty {
                let name = String(repeating: "x", count: 1_100_000)
                try await system.disturb(["UPDATE rentals SET price = price + 1, name = \(name) WHERE id = \(id)"])
                try await pause(200...300, &random)
                rows = try await system.source.transaction(.snapshot) { transaction in
                    try transaction.run(failed).rows.compactMap { try $0.integer(0) }
                }
            }
            for _ in 1...5 {
                try await system.disturb(["UPDATE rentals SET price = price + 1 WHERE id = \(id)"])
                try await pause(50...200, &random)
            }
            try await system.disturb(["UPDATE rentals SET name = 'small again' WHERE id = \(id)"])
            // A broker that knows it, or none.
            if Bool.random(using: &random), let row = rows.first {
                _ = try await system.run("outbox", "retry", "\(row)")
            }
        },
        Fault(
            name: "queue-full",
            summary: "the producer's queue holds few messages, and the broker is slow",
            systems: .onServers,
            blows: 1,
            losesLanes: false
        ) { system, random in
            for relay in await system.all(.relay) {
                try await system.remove(relay, .relay, gracefully: true)
                try await system.start(
                    .relay,
                    settings: ["DIONYSUS_PRODUCER_SETTINGS": "queue.buffering.max.messages=10"]
                )
            }
            try system.cluster?.setRoundTrip(.milliseconds(15), of: 1)
            for _ in 1...3 {
                try await system.disturb(["UPDATE rentals SET price = price + 1"])
                try await pause(500...1000, &random)
            }
            try system.cluster?.setRoundTrip(.zero, of: 1)
            for relay in await system.all(.relay) { _ = try await system.replaceGracefully(relay, .relay) }
        },
    ]

    /// The retry delay of a row that the broker refused.
    static let firstRetry = Duration.seconds(10)
}
