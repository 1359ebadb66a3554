import DionysusKafka
import Foundation

extension Fault {
    static let brokerFaults = [
        Fault(
            name: "broker-away",
            summary: "the broker is down for seconds",
            systems: .onServers,
            patience: sessionTimeout
        ) { system, random in
            try system.cluster?.stopBroker(1)
            try await pause(2000...6000, &random)
            try system.cluster?.startBroker(1)
        },
        Fault(name: "broker-slow", summary: "the broker takes 100 to 300 ms", systems: .onServers) { system, random in
            let delay = Duration.milliseconds(Int.random(in: 100...300, using: &random))
            try system.cluster?.setRoundTrip(delay, of: 1)
            try await pause(3000...6000, &random)
            try system.cluster?.setRoundTrip(.zero, of: 1)
        },
        Fault(
            name: "broker-jitter",
            summary: "the way to the broker takes up to 150 ms, each time another",
            systems: .onServers
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
            summary: "connections to the broker are cut in the middle of requests",
            systems: .onServers,
            patience: sessionTimeout
        ) { system, random in
            for _ in 1...10 {
                let proxy = Bool.random(using: &random) ? system.producerProxy : system.consumerProxy
                proxy?.cut()
                try await pause(50...700, &random)
            }
        },
        Fault(
            name: "lost-ack",
            summary: "messages arrive at the broker, and their acknowledgements are lost",
            systems: .onServers
        ) { system, random in
            for _ in 1...5 {
                system.producerProxy?.change { $0.losesReplies = true }
                try await pause(100...500, &random)
                system.producerProxy?.change { $0.losesReplies = false }
                system.producerProxy?.cut()
                try await pause(200...800, &random)
            }
        },
        Fault(name: "broker-errors", summary: "the broker answers with errors", systems: .onServers) { system, random in
            // Not leader, request timed out, not enough replicas, and the same after appending.
            let codes: [Int32] = [6, 7, 19, 20]
            for _ in 1...10 {
                let count = Int.random(in: 1...6, using: &random)
                system.cluster?.fail(.produce, with: (0..<count).map { _ in codes.randomElement(using: &random) ?? 7 })
                try await pause(100...500, &random)
            }
            system.cluster?.clearFailures(.produce)
        },
    ]
}
