return {redis.call('TIME'), redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES'), redis.call('HGETALL', KEYS[2])}
