/// Checks the rules of a decider, without any database.
///
///     try Specification(Ads()).given(AdCreated(…)).when(.publish).then(AdPublished())
///     try Specification(Ads()).given(AdCreated(…), AdRemoved()).when(.publish).thenThrows(Forbidden.self)
public struct Specification<Rules: Decider>: Sendable {
    private let rules: Rules
    private let history: [any Event]

    /// Creates a specification of a stream without events.
    public init(_ rules: Rules) {
        self.rules = rules
        history = []
    }

    private init(_ rules: Rules, _ history: [any Event]) {
        self.rules = rules
        self.history = history
    }

    /// Adds events that have happened before.
    public func given(_ events: any Event...) -> Specification { Specification(rules, history + events) }

    /// Gives a command.
    public func when(_ command: Rules.Command) -> Outcome {
        var state = rules.initialState
        for event in history { rules.evolve(&state, event) }
        return Outcome(rules: rules, state: state, result: Result { try rules.decide(command, state) })
    }

    /// What a command has led to.
    public struct Outcome: Sendable {
        let rules: Rules
        let state: Rules.State
        let result: Result<[any Event], any Error>

        /// Expects these events, no others, in this order.
        /// - Throws: ``SpecificationFailure`` that shows where they differ.
        public func then(_ expected: any Event...) throws {
            switch result {
            case .failure(let error):
                throw SpecificationFailure(description: "the command is forbidden: \(error)")
            case .success(let events):
                let difference = LineDifference.text(
                    expected: expected.map(EventText.text),
                    actual: events.map(EventText.text)
                )
                guard let difference else { return }
                throw SpecificationFailure(
                    description: "the events differ, expected (-) and decided (+):\n\(difference)"
                )
            }
        }

        /// Expects that the command leads to no event.
        /// - Throws: ``SpecificationFailure`` that shows the events.
        public func thenNothing() throws { try then() }

        /// Expects the command to be forbidden.
        /// - Parameters:
        ///   - type: The type of the error.
        ///   - isExpected: Whether it is the right one.
        /// - Throws: ``SpecificationFailure`` that shows the events, or another error.
        public func thenThrows<Failure: Error>(
            _ type: Failure.Type,
            where isExpected: (Failure) -> Bool = { _ in true }
        ) throws {
            switch result {
            case .success(let events):
                let list = events.map { "\n  + \(EventText.text(of: $0))" }.joined()
                throw SpecificationFailure(description: "\(type) was expected, and the command is allowed:\(list)")
            case .failure(let error):
                guard let error = error as? Failure, isExpected(error) else {
                    throw SpecificationFailure(description: "another error was expected than \(error)")
                }
            }
        }

        /// Checks the state after the events.
        /// - Throws: ``SpecificationFailure`` if the command is forbidden, and what the check throws.
        public func thenState(_ check: (Rules.State) throws -> Void) throws {
            switch result {
            case .failure(let error): throw SpecificationFailure(description: "the command is forbidden: \(error)")
            case .success(let events):
                var state = state
                for event in events { rules.evolve(&state, event) }
                try check(state)
            }
        }
    }
}
