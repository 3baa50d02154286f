import OxbowCommandLine

// What the peers of a test tell each other by Redis.

extension RedisClient {
    /// Appends a value to a list, from which it is taken once.
    func push(_ value: String, to list: String, until deadline: ContinuousClock.Instant) async throws {
        guard case .integer = try await send("RPUSH", list, value, until: deadline) else {
            throw RedisError.unexpected("RPUSH has no number for an answer")
        }
    }

    /// Sets the value of a key, whatever it held.
    func set(_ key: String, to value: String, until deadline: ContinuousClock.Instant) async throws {
        guard try await send("SET", key, value, until: deadline).string == "OK" else {
            throw RedisError.unexpected("SET has another answer than OK")
        }
    }

    /// Takes the first value of a list, which may be pushed later.
    func pop(_ list: String, until deadline: ContinuousClock.Instant) async throws -> String {
        let seconds = max(1, Int((deadline - .now).seconds.rounded(.down)))
        let reply = try await send("BLPOP", list, "\(seconds)", until: deadline + .seconds(1))
        switch reply {
        case .array(let parts?) where parts.count == 2:
            guard let value = parts[1].string else { break }
            return value
        case .array(nil), .bulk(nil): throw RedisError.timedOut("nobody pushed to \(list)")
        default: break
        }
        throw RedisError.unexpected("BLPOP has another answer than a key and a value")
    }

    /// The value of a key, which may come later: a string that is set, or the first of a list, which is taken.
    ///
    /// The newer tests describe the first form; several implementations push to a list all the same.
    func value(of key: String, until deadline: ContinuousClock.Instant) async throws -> String {
        while ContinuousClock.now < deadline {
            let type = try await send("TYPE", key, until: deadline).string
            let reply: RedisReply? =
                switch type {
                case "string": try await send("GET", key, until: deadline)
                case "list": try await send("LPOP", key, until: deadline)
                case "none": nil
                default: throw RedisError.unexpected("\(key) holds neither text nor a list")
                }
            if let value = reply?.string { return value }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw RedisError.timedOut("nobody set \(key)")
    }
}
